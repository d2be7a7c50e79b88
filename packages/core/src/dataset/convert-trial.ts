import { contextSegments } from "../atif/context-segments.ts";
import { parseTrajectory, type Trajectory } from "../atif/trajectory.ts";
import { isTracemillError } from "../errors.ts";
import { hashId } from "../ingest/id-set.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { DatasetFormat, ExportSpec } from "../run/export-spec.ts";
import { readJson } from "../stored-json.ts";
import type { SortedTrial } from "./claims.ts";
import type { CollectedTrial } from "./collect-trials.ts";
import { filterReason, type LeftOut } from "./filter.ts";
import { harborRows } from "./harbor-rows.ts";
import type { InstructionReader } from "./instruction.ts";
import type { Row } from "./json-row.ts";
import { sftRow } from "./sft-row.ts";
import { trialsRow } from "./trials-row.ts";

export interface ConvertedRow {
  /** Names the row in `lineage.jsonl`; unique within a format. */
  rowId: string;
  row: Row;
  /** Hash of the conversation; absent in the table of trials. */
  conversation?: bigint;
}

/** What a trial gives to one format. */
export type Converted = { format: DatasetFormat } & ({ rows: ConvertedRow[] } | { leftOut: LeftOut });

interface ConvertDeps {
  objects: Pick<ObjectStore, "get">;
  instructionOf: InstructionReader;
}

/** Turns one trial into the rows of every format that the spec asks for, but for `art`. */
export async function convertTrial(
  { trial, claimWasChecked }: SortedTrial,
  spec: ExportSpec,
  deps: ConvertDeps,
): Promise<Converted[]> {
  const leftOut = filterReason(trial.result, spec, claimWasChecked);
  const wantsTrajectory =
    leftOut === undefined && spec.formats.some((format) => format === "sft" || format === "harbor");
  const trajectory = wantsTrajectory ? await readTrajectory(trial, deps) : undefined;
  const converted: Converted[] = [];
  for (const format of spec.formats) {
    // Rows of a group, not of a trial: `artRows` makes them.
    if (format === "art") continue;
    if (format === "trials") {
      const row = trialsRow(trial.result, trial.attempts);
      converted.push({ format, rows: [{ rowId: trial.result.trial.trialId, row }] });
    } else if (trajectory === undefined) {
      converted.push({ format, leftOut: leftOut ?? "no-trajectory" });
    } else {
      converted.push({ format, ...(await trainingRows(format, trial, trajectory, spec, deps)) });
    }
  }
  return converted;
}

async function readTrajectory(
  { result }: CollectedTrial,
  deps: ConvertDeps,
): Promise<Trajectory | undefined> {
  const key = result.objects.trajectory;
  return key === undefined ? undefined : parseTrajectory(await readJson(deps.objects, key), key);
}

async function trainingRows(
  format: "sft" | "harbor",
  trial: CollectedTrial,
  trajectory: Trajectory,
  spec: ExportSpec,
  deps: ConvertDeps,
): Promise<{ rows: ConvertedRow[] } | { leftOut: LeftOut }> {
  try {
    const rows =
      format === "sft" ? sftRows(trial, trajectory) : await rowsOfHarbor(trial, trajectory, spec, deps);
    return rows.length === 0 ? { leftOut: "no-agent-turn" } : { rows };
  } catch (error) {
    if (isTracemillError(error, "unsupported")) return { leftOut: "not-text" };
    throw error;
  }
}

/** One for each conversation that the model had: several where its context was replaced on the way. */
function sftRows({ result }: CollectedTrial, trajectory: Trajectory): ConvertedRow[] {
  return contextSegments(trajectory).flatMap((segment, index) => {
    const attempt = `${result.trial.trialId}/${result.attempt}`;
    const rowId = index === 0 ? attempt : `${attempt}/context-${index + 1}`;
    const row = sftRow(result, segment, rowId);
    return row === undefined ? [] : [{ rowId, row, conversation: fingerprint(row.messages, row.tools) }];
  });
}

async function rowsOfHarbor(
  { result }: CollectedTrial,
  trajectory: Trajectory,
  { episodes }: ExportSpec,
  deps: ConvertDeps,
): Promise<ConvertedRow[]> {
  const instruction = await deps.instructionOf(result.trial.task);
  return harborRows(result, trajectory, { episodes, instruction }).map((row) => ({
    rowId: `${result.trial.trialId}/${result.attempt}/${String(row.episode)}`,
    row,
    conversation: fingerprint(row.conversations, row.tool_definitions),
  }));
}

function fingerprint(...parts: unknown[]): bigint {
  return hashId(JSON.stringify(parts));
}
