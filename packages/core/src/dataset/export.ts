import { pMapIterable } from "p-map";
import { contentId } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { ParquetEncoder } from "../ports/parquet.ts";
import type { RecordStore } from "../ports/record-store.ts";
import type { Scratch } from "../ports/scratch.ts";
import type { ExportSpec } from "../run/export-spec.ts";
import { canonicalJson } from "../run/spec.ts";
import { datasetCard } from "./card.ts";
import { verifiedFirst } from "./claims.ts";
import {
  type CollectedTrial,
  type Collection,
  collectTrials,
  readsAtOnce,
  throwIfCancelled,
} from "./collect-trials.ts";
import { datasetFormats } from "./columns.ts";
import { type Converted, type ConvertedRow, convertTrial } from "./convert-trial.ts";
import { createInstructionReader } from "./instruction.ts";
import { rowLine } from "./json-row.ts";
import { lineageOf } from "./lineage.ts";
import { type DatasetFile, type DatasetManifest, publicSpec, readManifest } from "./manifest.ts";
import { assertShares, splitOf } from "./splits.ts";
import { openSpools, type RowSpool, type Spools } from "./spool.ts";
import { storeFile } from "./store-file.ts";
import { ExportTally } from "./tally.ts";
import { writeFiles } from "./write-files.ts";

/** Part of every version: raise it when the same input comes to give other rows or files. */
const layoutVersion = 1;

export interface ExportInput {
  runId: string;
  spec: ExportSpec;
  /** The run's resolved spec, recorded in the manifest. */
  runSpec: unknown;
}

export interface ExportDeps {
  objects: ObjectStore;
  records: Pick<RecordStore, "query">;
  scratch: Scratch;
  parquet: ParquetEncoder;
  /** Trials converted so far. */
  onProgress?: (done: number) => void;
  signal?: AbortSignal;
}

/**
 * Writes a run's ended trials as a dataset, `datasets/<name>/<version>/`, the manifest last.
 *
 * The last attempt of a trial stands for it. Rows are in order of trial id. The version is a content id of
 * everything that goes in, and every file is written only where it is missing, so that an export that was
 * killed is finished by the same call, and a finished one costs only the reading of its results. Memory does
 * not grow with rows but for some 20 bytes each, by which duplicates are found.
 * @throws TracemillError `invalid-spec` (splits), `not-found` and `storage-corrupt` (a record or trajectory),
 * `invalid-trajectory`, `cancelled`, `storage-full`.
 */
export async function exportDataset(input: ExportInput, deps: ExportDeps): Promise<DatasetManifest> {
  assertShares(input.spec.splits);
  const formats = datasetFormats.filter((format) => input.spec.formats.includes(format));
  const spec = { ...input.spec, formats };
  await using trials = await collectTrials(input.runId, deps);
  const version = versionOf({ ...input, spec }, trials);
  const finished = await readManifest(spec.name, version, deps.objects);
  if (finished !== undefined) return finished;

  await using spools = await openSpools(spec, formats, deps.scratch);
  const tally = await convertAll(trials, spec, spools, deps);
  const prefix = objectKeys.dataset(spec.name, version);
  const files = await writeFiles(prefix, spools, deps);
  const manifest = manifestOf({ ...input, spec }, { version, trials, tally, files, spools: spools.all });
  return writeManifest(prefix, manifest, deps.objects);
}

function versionOf({ runId, spec, runSpec }: ExportInput, { digest, notEnded }: Collection): string {
  const parts = [canonicalJson(spec), canonicalJson(publicSpec(runSpec) ?? null)];
  return contentId("ver", [layoutVersion, runId, ...parts, digest, notEnded]);
}

async function convertAll(
  trials: Collection,
  spec: ExportSpec,
  spools: Spools,
  deps: ExportDeps,
): Promise<ExportTally> {
  const tally = new ExportTally();
  const convertDeps = { objects: deps.objects, instructionOf: createInstructionReader(deps.objects) };
  const converted = pMapIterable(
    verifiedFirst(trials),
    async (sorted) => ({ trial: sorted.trial, formats: await convertTrial(sorted, spec, convertDeps) }),
    { concurrency: readsAtOnce },
  );
  let done = 0;
  for await (const { trial, formats } of converted) {
    throwIfCancelled(deps.signal);
    const split = splitOf(trial.result.trial.task.group, spec);
    tally.addTrial(trial, split);
    for (const each of formats) await addRows({ trial, split, each, spec, spools, tally });
    done += 1;
    deps.onProgress?.(done);
  }
  return tally;
}

interface Arrival {
  trial: CollectedTrial;
  split: string;
  each: Converted;
  spec: ExportSpec;
  spools: Spools;
  tally: ExportTally;
}

async function addRows({ trial, split, each, spec, spools, tally }: Arrival): Promise<void> {
  const { format } = each;
  if ("leftOut" in each) {
    tally.addLeftOut(format, each.leftOut);
    return;
  }
  const isNew = ({ conversation }: ConvertedRow): boolean =>
    conversation === undefined || tally.addConversation(format, conversation, split);
  for (const converted of each.rows) {
    if (!isNew(converted) && spec.dedupe) {
      tally.addLeftOut(format, "duplicate");
      continue;
    }
    await spools.of(format, split).write(rowLine(converted.row));
    const lineage = lineageOf(trial, { format, split, rowId: converted.rowId });
    await spools.lineage.write(`${JSON.stringify(lineage)}\n`);
  }
}

interface Exported {
  version: string;
  trials: Collection;
  tally: ExportTally;
  files: DatasetFile[];
  spools: readonly RowSpool[];
}

function manifestOf({ runId, spec, runSpec }: ExportInput, exported: Exported): DatasetManifest {
  const { version, trials, tally, files, spools } = exported;
  return {
    schemaVersion: 1,
    name: spec.name,
    version,
    runId,
    spec: publicSpec(runSpec),
    export: spec,
    ...(trials.lastEndedAt === undefined ? {} : { lastEndedAt: trials.lastEndedAt }),
    counts: countsOf(spools),
    files,
    leftOut: { notEnded: trials.notEnded, formats: tally.leftOutCounts() },
    lineage: {
      trials: trials.trials,
      tasks: tally.tasks,
      snapshots: tally.sortedSnapshots(),
      folderTrials: tally.folderTrials,
      resultsSha256: trials.digest,
    },
    leakCheck: tally.leakCheck(),
    agents: tally.agentSummaries(),
  };
}

function countsOf(spools: readonly RowSpool[]): DatasetManifest["counts"] {
  const counts: DatasetManifest["counts"] = {};
  for (const { format, split, rows, file } of spools) {
    counts[format] = { ...counts[format], [split]: { rows, bytes: file.size } };
  }
  return counts;
}

/** Writes the card, then the manifest that names it. Of two exports at once the first manifest stands. */
async function writeManifest(
  prefix: string,
  manifest: DatasetManifest,
  objects: ObjectStore,
): Promise<DatasetManifest> {
  const card = await storeFile(`${prefix}README.md`, oneChunk(datasetCard(manifest)), objects);
  const { sha256, bytes } = card;
  const whole = { ...manifest, files: [...manifest.files, { path: "README.md", sha256, bytes }] };
  const body = Buffer.from(`${JSON.stringify(whole, undefined, 2)}\n`);
  const { created } = await objects.putIfAbsent(`${prefix}manifest.json`, body);
  const standing = created ? undefined : await readManifest(manifest.name, manifest.version, objects);
  return standing ?? whole;
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
