import pMap, { pMapIterable } from "p-map";
import { parseTrajectory } from "../atif/trajectory.ts";
import { isTracemillError } from "../errors.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { Scratch } from "../ports/scratch.ts";
import type { ExportSpec } from "../run/export-spec.ts";
import { isValid } from "../run/outcome.ts";
import { readJson } from "../stored-json.ts";
import {
  type ArtException,
  type ArtGroup,
  type ArtPlace,
  artGroups,
  artPlace,
  exceptionOf,
} from "./art-groups.ts";
import { type ArtTrajectory, artTrajectory, isChoice, type MessageOrChoice } from "./art-trajectory.ts";
import { verifiedFirst } from "./claims.ts";
import { type CollectedTrial, type Collection, throwIfCancelled } from "./collect-trials.ts";
import type { LeftOut } from "./filter.ts";
import { type Row, rowLine } from "./json-row.ts";
import { lineageOf } from "./lineage.ts";
import { splitOf } from "./splits.ts";
import type { TableRow } from "./tables.ts";

/** Groups in memory at once, and trajectories read at once for each: hides the latency of a remote store. */
const groupsAtOnce = 4;
const readsPerGroup = 4;

interface ArtDeps {
  objects: Pick<ObjectStore, "get">;
  scratch: Scratch;
  signal?: AbortSignal;
  onLeftOut: (reason: LeftOut) => void;
}

/**
 * The rows of ART's table, its trajectories by group. Failed rollouts are exceptions of their group; a group
 * without a trajectory has no rows. Memory: a few groups at a time.
 */
export async function* artRows(
  trials: Pick<Collection, "read">,
  spec: ExportSpec,
  deps: ArtDeps,
): AsyncGenerator<TableRow> {
  const groups = artGroups(verifiedFirst(trials), deps.scratch);
  const converted = pMapIterable(groups, (group) => convertGroup(group, spec, deps), {
    concurrency: groupsAtOnce,
  });
  for await (const { members, exceptions, leftOut } of converted) {
    throwIfCancelled(deps.signal);
    for (const reason of leftOut) deps.onLeftOut(reason);
    yield* rowsOfGroup(members, exceptions, spec);
  }
}

interface Member {
  trial: CollectedTrial;
  trajectory: ArtTrajectory;
}

type Converted = { member: Member } | { reason: LeftOut; exception?: ArtException };

interface ConvertedGroup {
  members: Member[];
  exceptions: ArtException[];
  leftOut: LeftOut[];
}

async function convertGroup({ trials }: ArtGroup, spec: ExportSpec, deps: ArtDeps): Promise<ConvertedGroup> {
  const all = await pMap(trials, (trial) => convert(artPlace(trial, spec), deps), {
    concurrency: readsPerGroup,
  });
  return {
    members: all.flatMap((each) => ("member" in each ? [each.member] : [])),
    exceptions: all.flatMap((each) => ("exception" in each ? [each.exception] : [])),
    leftOut: all.flatMap((each) => ("reason" in each ? [each.reason] : [])),
  };
}

async function convert(place: ArtPlace, deps: ArtDeps): Promise<Converted> {
  if (place.kind !== "trajectory") return place;
  const { trial, reward, key } = place;
  try {
    const recorded = parseTrajectory(await readJson(deps.objects, key), key);
    const trajectory = artTrajectory(trial.result, recorded, { rowId: rowIdOf(trial), reward });
    if (trajectory !== undefined) return { member: { trial, trajectory } };
  } catch (error) {
    if (isTracemillError(error, "unsupported")) return { reason: "not-text" };
    throw error;
  }
  return isValid(trial.result.outcome) ? { reason: "no-agent-turn" } : exceptionOf(trial);
}

function rowIdOf({ result }: CollectedTrial): string {
  return `${result.trial.trialId}/${result.attempt}`;
}

function* rowsOfGroup(
  members: readonly Member[],
  exceptions: readonly ArtException[],
  spec: ExportSpec,
): Generator<TableRow> {
  const [first] = members;
  if (first === undefined) return;
  const metadata = groupMetadata(first.trial);
  const group = {
    format_version: 2,
    group_json: rowLine({ exceptions, metadata, metrics: {}, logs: [] }),
    group_metadata: rowLine(metadata),
    group_metrics: null,
    group_logs: null,
  };
  const split = splitOf(first.trial.result.trial.task.group, spec);
  for (const [index, { trial, trajectory }] of members.entries()) {
    yield {
      table: "art",
      split,
      row: { ...group, trajectory_index: index, ...trajectoryColumns(trajectory) },
      lineage: lineageOf(trial, { format: "art", split, rowId: rowIdOf(trial) }),
      joinsPrevious: index > 0,
    };
  }
}

function groupMetadata({ result: { runId, trial } }: CollectedTrial): Row {
  const { task, agent, reference } = trial;
  const model = agent.model ?? reference?.model;
  return {
    task: task.name,
    task_hash: task.hash,
    group: task.group,
    agent: agent.name,
    ...(model === undefined ? {} : { model }),
    run_id: runId,
  };
}

/** The whole trajectory as JSON, which ART's reader takes, and beside it the columns that ART keeps for queries. */
function trajectoryColumns(trajectory: ArtTrajectory): Row {
  const { reward, metrics, metadata, tools, logs, messages_and_choices: items } = trajectory;
  return {
    trajectory_json: rowLine({ ...trajectory }),
    reward,
    metrics: JSON.stringify(metrics),
    metadata: rowLine(metadata),
    tools: tools === null ? null : rowLine({ tools }).slice('{"tools":'.length, -1),
    logs: logs.length === 0 ? null : logs,
    messages: items.map(flatMessage),
  };
}

function flatMessage(item: MessageOrChoice): Row {
  const message = isChoice(item) ? item.message : item;
  return {
    role: message.role,
    content: message.content,
    tool_calls: message.tool_calls === undefined ? null : JSON.stringify(message.tool_calls),
    tool_call_id: message.tool_call_id ?? null,
    trainable: isChoice(item),
  };
}
