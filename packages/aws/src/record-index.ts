import type { RecordKey } from "@tracemill/core/ports/record-store.ts";

/**
 * Attributes of a row for the table's two indexes (both project keys only, so that a heartbeat costs no write there):
 *
 * - `gsi1`: by status, for a row with a `status`. `gsi1pk` is the partition, the kind of row and the status
 *   (`run#run_01J…#stage#running`, `runs#running`), `gsi1sk` the row's sort key.
 * - `gsi2`: by time, for a row that has come to an end. `gsi2pk` is the kind of row and the day (UTC) of its end
 *   (`stage#2026-11-21`, `runs#2026-11-21`), `gsi2sk` the time.
 *
 * Trials are in neither: six more writes each, 3.75 USD a million, and a partition by status or day that all of them
 * share. Their shards' rows count them.
 */
export interface RecordIndex {
  gsi1pk?: string;
  gsi1sk?: string;
  gsi2pk?: string;
  gsi2sk?: string;
}

/** The fields by which rows say when they came to an end. */
const endings = ["endedAt", "finishedAt", "stoppedAt"] as const;

export function recordIndex({ pk, sk }: RecordKey, data: unknown): RecordIndex {
  if (typeof data !== "object" || data === null) return {};
  const fields = data as Record<string, unknown>;
  const kind = sk.includes("#") ? sk.slice(0, sk.indexOf("#")) : undefined;
  if (kind === "trial") return {};
  const ended = endings.map((field) => fields[field]).find(isTime);
  return {
    ...(typeof fields.status === "string" && {
      gsi1pk: [pk, kind, fields.status].filter((part) => part !== undefined).join("#"),
      gsi1sk: sk,
    }),
    ...(ended !== undefined && { gsi2pk: `${kind ?? pk}#${ended.slice(0, 10)}`, gsi2sk: ended }),
  };
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
}
