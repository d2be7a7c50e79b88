import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { timeId } from "@tracemill/core/ids.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { isSnapshotPlace } from "@tracemill/core/pipeline/prepare-tasks.ts";
import { RunSummary } from "@tracemill/core/pipeline/results.ts";
import { sendFolders } from "@tracemill/core/pipeline/sent-folders.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { createRun, readRunSpec, setRunState } from "@tracemill/core/run/runs.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { readStored } from "@tracemill/core/stored-json.ts";
import { taskFoldersUnder } from "@tracemill/local/task-folder.ts";
import { requireOwn } from "../chosen-run.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { describePlan } from "../dry-run.ts";
import { sayFinished } from "../report-run.ts";
import { preflight, requireChecks, specForCloud } from "./preflight.ts";
import { consoleUrl, latestExecution, startExecution } from "./run-executions.ts";
import { watchRun } from "./watch.ts";

export interface StartOptions {
  dryRun?: boolean;
  detach?: boolean;
}

/** Starts a run of a spec on AWS, once everything is found to be in order, and watches it. */
export async function runOnAws(
  given: RunSpec,
  options: StartOptions,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  const { clock } = context;
  onInterruptSay("leaving; nothing is started", context);
  const spec = specForCloud(given, context);
  const { checks } = await preflight(spec, cloud, context);
  if (options.dryRun === true) await describePlan(spec, cloud, context);
  requireChecks(checks, cloud.stack.stage, context);
  if (options.dryRun === true) return;
  const startedAt = clock.now();
  const runId = timeId("run", startedAt);
  // The row comes last: a run that anybody can see has all that it needs to be resumed.
  await sendTasks(runId, spec, cloud, context);
  requireStay(context);
  onInterruptSay(leaving, context);
  const run = await createRun(spec, { ...cloud, clock }, runId);
  await startAndWatch({ run, number: 1, startedAt, resumed: false }, options, cloud, context);
}

/** Goes on with a run on AWS that was stopped. */
export async function resumeOnAws(
  run: RunRecord,
  options: StartOptions,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  const { clock } = context;
  await requireOwn(run, cloud.records);
  const spec = await readRunSpec(run.runId, cloud.objects);
  if (options.dryRun === true) return describePlan(spec, cloud, context);
  const latest = await latestExecution(run.runId, cloud);
  if (latest?.status === "RUNNING") {
    throw new TracemillError(
      "conflict",
      `${run.runId} is at work (execution ${latest.name}); watch it with \`tracemill status ${run.runId} --watch${cloud.flags}\``,
    );
  }
  // A start that was killed may have left its folders behind.
  const sent = await cloud.objects.head(objectKeys.runFolders(run.runId));
  if (sent === undefined && spec.tasks.some((place) => !isSnapshotPlace(place)))
    await sendTasks(run.runId, spec, cloud, context);
  await setRunState(run.runId, { status: "running" }, cloud.records);
  const number = (latest?.number ?? 0) + 1;
  await startAndWatch({ run, number, startedAt: clock.now(), resumed: true }, options, cloud, context);
}

const leaving = "leaving; the run goes on in AWS";

function onInterruptSay(words: string, { interruptWords }: CliContext): void {
  if (interruptWords !== undefined) interruptWords.first = words;
}

/** @throws TracemillError `cancelled` once the user has asked to leave. */
function requireStay({ draining }: CliContext): void {
  if (draining.aborted)
    throw new TracemillError("cancelled", "stopped on request before the run was started");
}

async function sendTasks(runId: string, spec: RunSpec, cloud: CloudHome, context: CliContext): Promise<void> {
  const { clock, out } = context;
  let saidAt = clock.now();
  const deps = { objects: cloud.objects, taskFolders: taskFoldersUnder };
  const { folders } = await sendFolders(runId, spec, deps, (sent) => {
    requireStay(context);
    if (clock.now() - saidAt < 2_000) return;
    saidAt = clock.now();
    out.note(`sent ${sent} task folders`);
  });
  if (folders > 0) out.note(`sent      ${folders} task folders`);
}

async function startAndWatch(
  {
    run,
    number,
    startedAt,
    resumed,
  }: { run: RunRecord; number: number; startedAt: number; resumed: boolean },
  { detach }: StartOptions,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  const { out } = context;
  const { runId } = run;
  let arn: string;
  try {
    arn = await startExecution({ runId, number, startedAt, resumed }, cloud);
  } catch (error) {
    // Somebody else has just resumed it: the run is at work.
    if (isTracemillError(error, "conflict")) throw error;
    const stoppedAt = new Date(context.clock.now()).toISOString();
    await setRunState(runId, { status: "stopped", stoppedAt, reason: messageOf(error) }, cloud.records);
    throw error;
  }
  out.event({ type: "run", ...run, execution: arn });
  out.text(`run ${runId} (${run.name})${number > 1 ? `, resumed (${number})` : ""}`);
  out.text(`console: ${consoleUrl(arn)}`);
  if (detach === true) out.text(comeBack(runId, cloud));
  else await watchToItsEnd(runId, arn, cloud, context);
}

/** Watches an execution and says what came of it. */
export async function watchToItsEnd(
  runId: string,
  arn: string,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  const { out } = context;
  onInterruptSay(leaving, context);
  const { run, ended } = await watchRun(runId, arn, cloud, context);
  if (ended === undefined) {
    context.exitCode = 130;
    out.text(comeBack(runId, cloud));
    return;
  }
  if (run.status === "finished") {
    const summary = await readStored(cloud.objects, objectKeys.runSummary(runId), RunSummary);
    sayFinished(run, summary, cloud, out);
    return;
  }
  const reason = run.status === "stopped" ? run.reason : (ended.cause ?? `its execution is ${ended.status}`);
  context.exitCode = 1;
  out.event({ type: "stopped", runId, reason });
  out.text(
    `\nstopped: ${reason}\nwhat failed: tracemill status ${runId}${cloud.flags}\ngo on with: tracemill resume ${runId}${cloud.flags}`,
  );
}

function comeBack(runId: string, { flags }: CloudHome): string {
  return `come back with: tracemill status ${runId}${flags} --watch\nend it with: tracemill cancel ${runId}${flags}`;
}
