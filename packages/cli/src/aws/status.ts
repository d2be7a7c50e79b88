import type { JobStatus } from "@tracemill/aws/control/jobs.ts";
import { stages } from "@tracemill/core/pipeline/stages.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import { isFailed, readShardRecords } from "@tracemill/core/run/progress.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import type { ShardFailure } from "@tracemill/core/run/shard-record.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { goOnWords } from "../go-on.ts";
import { table } from "../tables.ts";
import { countsLine } from "./cloud-counts.ts";
import { consoleUrl, latestExecution, type NumberedExecution } from "./run-executions.ts";
import { countJobs } from "./run-jobs.ts";
import { type RunView, viewRun, viewRunExactly } from "./run-view.ts";

/** Failed shards that are listed; `--json` has all. */
const shownFailures = 10;

interface FailedShard extends ShardFailure {
  shardId: string;
}

interface Status {
  view: RunView;
  execution: NumberedExecution | undefined;
  jobs: Partial<Record<JobStatus, number>>;
  failed: FailedShard[];
  /** Trials a second since the plan was made; `undefined` while nothing has ended. */
  perSecond: number | undefined;
}

/** Says how a run on AWS stands. */
export async function sayStatus(run: RunRecord, cloud: CloudHome, context: CliContext): Promise<void> {
  const status = await statusOf(run.runId, cloud, context);
  const { out } = context;
  const { view, execution, jobs, failed, perSecond } = status;
  out.event({ type: "status", ...view, execution, jobs, failed, perSecond });
  if (!out.json) for (const line of statusLines(status, cloud, context.clock.now())) out.text(line);
}

async function statusOf(
  runId: string,
  cloud: CloudHome,
  { clock }: Pick<CliContext, "clock">,
): Promise<Status> {
  const [quick, execution, jobs] = await Promise.all([
    viewRun(runId, cloud),
    latestExecution(runId, cloud),
    countJobs(runId, cloud, "live"),
  ]);
  // The stored sum comes with the first report of a worker's shard, and may miss the last ones of a run that stopped.
  const isStored = quick.tally !== undefined && quick.run.status === "running";
  const view = isStored || quick.planned === undefined ? quick : await viewRunExactly(runId, cloud);
  const failed = view.failedShards > 0 ? await failedShards(runId, cloud) : [];
  return { view, execution, jobs, failed, perSecond: paceOf(view, execution, clock.now()) };
}

async function failedShards(runId: string, { records }: CloudHome): Promise<FailedShard[]> {
  const failed: FailedShard[] = [];
  for await (const row of readShardRecords(runId, records)) {
    const last = row.failures.at(-1);
    if (last !== undefined && isFailed(row)) failed.push({ shardId: row.shardId, ...last });
  }
  return failed;
}

/** Over the time that shards were worked on, so queueing included. A resumed run's earlier trials would flatter it. */
function paceOf(
  { run, steps, tally }: RunView,
  execution: NumberedExecution | undefined,
  now: number,
): number | undefined {
  if (run.status !== "running" || steps.plan?.status !== "done" || execution?.number !== 1) return undefined;
  const seconds = (now - Date.parse(steps.plan.endedAt)) / 1_000;
  return tally === undefined || tally.ended === 0 || seconds <= 0 ? undefined : tally.ended / seconds;
}

function* statusLines(status: Status, cloud: CloudHome, now: number): Generator<string> {
  const { view, execution, jobs, failed, perSecond } = status;
  const { run } = view;
  yield `${run.runId} (${run.name}) ${run.status}${run.status === "stopped" ? `: ${run.reason}` : ""}`;
  yield* executionLines(execution, now);
  yield* stepLines(view);
  yield countsLine(view, perSecond);
  const counts = Object.entries(jobs).map(([state, count]) => `${count} ${state.toLowerCase()}`);
  if (counts.length > 0) yield `jobs: ${counts.join(", ")}`;
  yield* failureLines(failed);
  yield* nextLines(run, failed, cloud);
}

function* executionLines(execution: NumberedExecution | undefined, now: number): Generator<string> {
  if (execution === undefined) {
    yield "no execution: it was never started, or AWS has forgotten it (90 days)";
    return;
  }
  const { name, status, startedAt, stoppedAt = now, arn, cause } = execution;
  yield `execution ${name} ${status.toLowerCase()}, ${formatDuration(stoppedAt - startedAt)}`;
  if (cause !== undefined) yield `  ${cause.split("\n", 1)[0]?.slice(0, 400)}`;
  yield `  ${consoleUrl(arn)}`;
}

function* stepLines({ steps }: RunView): Generator<string> {
  for (const { name, kind, title } of stages) {
    if (kind !== "step") continue;
    const row = steps[name];
    if (row === undefined) continue;
    const took =
      row.status === "done"
        ? `done in ${formatDuration(Date.parse(row.endedAt) - Date.parse(row.startedAt))}`
        : "at work";
    yield `${name.padEnd(9)} ${took} (${title})`;
  }
}

function* failureLines(failed: readonly FailedShard[]): Generator<string> {
  if (failed.length === 0) return;
  const rows = failed
    .slice(0, shownFailures)
    .map(({ shardId, stage, at, reason }) => [shardId, stage, at, reason.replace(/\s+/g, " ").slice(0, 160)]);
  yield `\nfailed shards:\n${table(["shard", "stage", "at", "reason"], rows)}`;
  if (failed.length > shownFailures) yield `… and ${failed.length - shownFailures} more (--json lists all)`;
}

function* nextLines(
  run: RunRecord,
  failed: readonly FailedShard[],
  { flags, locate }: CloudHome,
): Generator<string> {
  const [first] = failed;
  if (first !== undefined) yield `log: tracemill logs ${run.runId} --shard ${first.shardId}${flags}`;
  if (run.status === "stopped") yield goOnWords(run.reason, `tracemill resume ${run.runId}${flags}`);
  if (run.status === "finished" && run.dataset !== undefined) yield `dataset: ${locate(run.dataset)}`;
}
