import { pMapIterable } from "p-map";
import * as z from "zod";
import { TracemillError } from "../errors.ts";
import { contentId } from "../ids.ts";
import type { RecordStore } from "../ports/record-store.ts";
import { ruleSetId } from "../redact/create.ts";
import { type Redactor, redactionsOf } from "../redact/redactor.ts";
import type { ExportSpec } from "../run/export-spec.ts";
import { canonicalJson } from "../run/spec.ts";
import { suggestion } from "../validation.ts";
import { artRows } from "./art-rows.ts";
import { datasetCard } from "./card.ts";
import { verifiedFirst } from "./claims.ts";
import {
  type CollectedTrial,
  type Collection,
  collectTrials,
  readsAtOnce,
  throwIfCancelled,
} from "./collect-trials.ts";
import { datasetFormats, datasetTables } from "./columns.ts";
import { type Converted, type ConvertedRow, convertTrial } from "./convert-trial.ts";
import { createInstructionReader } from "./instruction.ts";
import { lineageOf } from "./lineage.ts";
import { DatasetManifest, publicSpec } from "./manifest.ts";
import { datasetRedactor, redactedRows } from "./redact-rows.ts";
import { assertShares, splitOf } from "./splits.ts";
import { type TableRow, type TablesDeps, type WrittenTables, writeTables } from "./tables.ts";
import { ExportTally } from "./tally.ts";

/** Part of every version: raise it when the same input comes to give other rows or files. */
const layoutVersion = 3;

export interface ExportInput {
  runId: string;
  spec: ExportSpec;
  /** The run's resolved spec, recorded in the manifest. */
  runSpec: unknown;
}

export interface ExportDeps extends TablesDeps {
  records: Pick<RecordStore, "query">;
  /** Trials converted so far. */
  onProgress?: (done: number) => void;
}

/**
 * Writes a run's ended trials as a dataset, `datasets/<name>/<version>/`, the manifest last.
 *
 * The last attempt of a trial stands for it. Rows are in order of trial id. The version is a content id of
 * everything that goes in, and every file is written only where it is missing, so that an export that was
 * killed is finished by the same call, and a finished one costs only the reading of its results. Memory does
 * not grow with rows but for some 20 bytes each, by which duplicates are found.
 * @throws TracemillError `invalid-spec` (splits, an agent that the run lacks), `not-found` and `storage-corrupt` (a record or trajectory),
 * `invalid-trajectory`, `cancelled`, `storage-full`.
 */
export async function exportDataset(input: ExportInput, deps: ExportDeps): Promise<DatasetManifest> {
  assertShares(input.spec.splits);
  const formats = datasetFormats.filter((format) => input.spec.formats.includes(format));
  const spec = { ...input.spec, formats };
  await using trials = await collectTrials(input.runId, deps);
  assertAgents(input, trials);
  const version = versionOf({ ...input, spec }, trials);
  const tally = new ExportTally();
  const redactor = datasetRedactor(input.runSpec);
  return await writeTables(
    {
      name: spec.name,
      version,
      tables: formats.map((format) => datasetTables[format]),
      splits: Object.keys(spec.splits),
      shardBytes: spec.shardBytes,
      rows: redactedRows(rowsOf(trials, spec, tally, deps), redactor),
      manifest: {
        schema: DatasetManifest,
        of: (written) => manifestOf({ ...input, spec }, { version, trials, tally, redactor, written }),
      },
      card: datasetCard,
    },
    deps,
  );
}

const AgentsOfRun = z.looseObject({ agents: z.array(z.looseObject({ name: z.string() })) });

/** A slip in a name would give an empty dataset. An agent of the run may have no ended trial yet. */
function assertAgents({ spec, runSpec }: ExportInput, trials: Collection): void {
  const planned = AgentsOfRun.safeParse(runSpec).data?.agents.map(({ name }) => name) ?? [];
  const known = [...new Set([...trials.agents, ...planned])].toSorted();
  const unknown = spec.agents?.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = suggestion(unknown, known);
  const hint = near === undefined ? "" : `did you mean \`${near}\`? `;
  throw new TracemillError(
    "invalid-spec",
    `\`export.agents\` (--agent): the run has no agent \`${unknown}\`; ${hint}its agents are ${known.join(", ") || "none"}`,
  );
}

function versionOf({ runId, spec, runSpec }: ExportInput, { digest, notEnded }: Collection): string {
  const parts = [canonicalJson(spec), canonicalJson(publicSpec(runSpec) ?? null)];
  return contentId("ver", [layoutVersion, ruleSetId, runId, ...parts, digest, notEnded]);
}

/** Every row of the dataset, counted in `tally` on its way. */
async function* rowsOf(
  trials: Collection,
  spec: ExportSpec,
  tally: ExportTally,
  deps: ExportDeps,
): AsyncGenerator<TableRow> {
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
    for (const each of formats) yield* rowsOfFormat({ trial, split, each, spec, tally });
    done += 1;
    deps.onProgress?.(done);
  }
  if (!spec.formats.includes("art")) return;
  yield* artRows(trials, spec, { ...deps, onLeftOut: (reason) => tally.addLeftOut("art", reason) });
}

interface Arrival {
  trial: CollectedTrial;
  split: string;
  each: Converted;
  spec: ExportSpec;
  tally: ExportTally;
}

function* rowsOfFormat({ trial, split, each, spec, tally }: Arrival): Generator<TableRow> {
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
    const lineage = lineageOf(trial, { format, split, rowId: converted.rowId });
    yield { table: format, split, row: converted.row, lineage };
  }
}

interface Exported {
  version: string;
  trials: Collection;
  tally: ExportTally;
  redactor: Redactor;
  written: WrittenTables;
}

function manifestOf({ runId, spec, runSpec }: ExportInput, exported: Exported): DatasetManifest {
  const { version, trials, tally, redactor, written } = exported;
  // Before the counts are read: what is taken out of the spec is among them.
  const publicRunSpec = redactor.json(publicSpec(runSpec));
  return {
    schemaVersion: 1,
    name: spec.name,
    version,
    runId,
    spec: publicRunSpec,
    export: spec,
    ...(trials.lastEndedAt === undefined ? {} : { lastEndedAt: trials.lastEndedAt }),
    ...written,
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
    ...redactionsOf(redactor),
  };
}
