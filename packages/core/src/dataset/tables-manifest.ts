import * as z from "zod";

const count = z.number().int().min(0);

export const DatasetFile = z.strictObject({
  /** Relative to the dataset's folder. */
  path: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  /** Absent for files that hold no rows of a table. */
  rows: count.optional(),
});
export type DatasetFile = z.infer<typeof DatasetFile>;

/** Rows, and the bytes that they take as JSON before compression. */
export const RowCount = z.strictObject({ rows: count, bytes: count });
export type RowCount = z.infer<typeof RowCount>;

/**
 * What every dataset's manifest has. Each kind of dataset extends it by what it was made of, as a strict object
 * of its own: `z.strictObject({ ...TablesManifest.shape, … })`.
 */
export const TablesManifest = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string(),
  /** Content id over everything that goes in: the same input has the same version. */
  version: z.string(),
  /** By table, then by split. */
  counts: z.partialRecord(z.string(), z.record(z.string(), RowCount)),
  files: z.array(DatasetFile),
});
export type TablesManifest = z.infer<typeof TablesManifest>;
