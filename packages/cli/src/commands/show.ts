import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import { readStandings, type TrialStanding } from "@tracemill/core/pipeline/results.ts";
import { summaryNow } from "@tracemill/core/report/report-now.ts";
import { rewardOf } from "@tracemill/core/run/outcome.ts";
import { AttemptResult, type ReplayReport, type Verification } from "@tracemill/core/run/result.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { listRuns } from "@tracemill/core/run/runs.ts";
import type { TrialRecord } from "@tracemill/core/run/trial.ts";
import { findStored } from "@tracemill/core/stored-json.ts";
import { readTrialRecord } from "@tracemill/core/trial/record.ts";
import { reasonOf } from "@tracemill/core/trial/result.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, Home } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { goOnWords } from "../go-on.ts";
import { summaryText } from "../summary.ts";
import { table } from "../tables.ts";

const help = `
Examples:
  tracemill show latest
  tracemill show run_01J… --trials --skip 100
  tracemill show trl_0a1b2c…
  tracemill show latest --on aws --stage prod
  tracemill show latest --json | jq -r 'select(.outcome != "scored") | .trialId'

RUN is an id, the start of one, a run's name, or \`latest\`. With --json a run prints one line a trial,
all of them unless --limit says how many. What a run came to, by agent, task or group: \`tracemill report\`.`;

/** Trials in a table, unless --limit says otherwise. */
const shownTrials = 100;

interface Options extends PlaceOptions {
  trials?: boolean;
  limit?: number;
  skip: number;
}

export function showCommand(context: CliContext): Command {
  return withPlace(new Command("show"))
    .description("show a run, or one trial with all its attempts")
    .argument("<run-or-trial>", "a run, or a trial's id")
    .option("--trials", "list the trials of a run, in the order of its plan")
    .option("--limit <n>", `how many trials (default: ${shownTrials}; with --json all)`, atLeast(1))
    .option("--skip <n>", "pass over the first n trials", atLeast(0), 0)
    .option("--json", "JSON lines: each trial with its attempts, outcome and reward")
    .addHelpText("after", help)
    .action((reference: string, options: Options) =>
      inHome(options, context, async (home) => {
        if (reference.startsWith("trl_")) return showTrial(reference, home, context);
        const run = await chosenRun(reference, home);
        return showRun(run, options, home, context);
      }),
    );
}

async function showRun(run: RunRecord, options: Options, home: Home, context: CliContext): Promise<void> {
  const { out } = context;
  out.text(`${run.runId} (${run.name}) ${run.status}${run.status === "stopped" ? `: ${run.reason}` : ""}`);
  if (out.json) return listTrials(run.runId, options, home, context);
  if (options.trials === true)
    return tableTrials(run.runId, { limit: shownTrials, ...options }, home, context);
  out.text(`\n${await summaryOrNothing(run, home)}`);
  out.text(`results: ${home.locate(objectKeys.runResults(run.runId))}`);
  if (run.status === "finished" && run.dataset !== undefined)
    out.text(`dataset: ${home.locate(run.dataset)}`);
  if (run.status === "stopped") out.text(goOnWords(run.reason, `tracemill resume ${run.runId}${home.flags}`));
}

async function summaryOrNothing(run: RunRecord, home: Home): Promise<string> {
  try {
    const { summary, basis } = await summaryNow(run, home);
    const text = summaryText(summary);
    return basis === "trials"
      ? text
      : `${text}\n\nas its shards last reported, each agent with the trials that have ended; trial by trial: tracemill report ${run.runId} --every-trial${home.flags}`;
  } catch (error) {
    if (!isTracemillError(error, "not-found")) throw error;
    return "no plan yet: the run stopped before it knew its trials";
  }
}

/** At most `limit` trials after the first `skip`, in plan order; a shard that is passed over is not read. */
async function* someTrials(
  runId: string,
  { limit = Number.POSITIVE_INFINITY, skip }: Options,
  home: Home,
): AsyncGenerator<ReturnType<typeof standingLine>> {
  let left = limit;
  for await (const standing of readStandings(runId, home, skip)) {
    yield standingLine(runId, standing);
    left -= 1;
    if (left <= 0) return;
  }
}

async function listTrials(runId: string, options: Options, home: Home, { out }: CliContext): Promise<void> {
  for await (const line of someTrials(runId, options, home)) out.event(line);
}

async function tableTrials(
  runId: string,
  options: Options & { limit: number },
  home: Home,
  { out }: CliContext,
): Promise<void> {
  const { limit, skip } = options;
  const lines = await Array.fromAsync(someTrials(runId, { ...options, limit: limit + 1 }, home));
  const shown = lines.slice(0, limit);
  const reasons = shown.some(({ reason }) => reason !== undefined);
  const head = ["trial", "task", "agent", "outcome", "reward", "attempts", ...(reasons ? ["reason"] : [])];
  const rows = shown.map(({ trialId, task, agent, outcome, reward, attempts, reason }) =>
    [
      trialId,
      task,
      agent,
      outcome,
      String(reward ?? "–"),
      String(attempts.length),
      shortened(reason ?? ""),
    ].slice(0, head.length),
  );
  out.text(table(head, rows));
  if (lines.length > limit)
    out.text(`… more: --skip ${skip + limit}; all of them: ${home.locate(objectKeys.runResults(runId))}`);
}

/** A reason on one line of a table; `show TRIAL` has all of it. */
function shortened(reason: string): string {
  const line = reason.replace(/\s+/g, " ");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

function standingLine(runId: string, { trial, record }: TrialStanding) {
  const attempts = record?.attempts ?? [];
  const last = record?.status === "ended" ? attempts.at(-1)?.outcome : undefined;
  const reward = last === undefined ? undefined : rewardOf(last);
  const reason = last === undefined ? undefined : reasonOf(last);
  return {
    type: "trial",
    runId,
    trialId: trial.trialId,
    task: trial.task.name,
    taskHash: trial.task.hash,
    agent: trial.agent.name,
    model: trial.agent.model,
    sample: trial.sample,
    solutionId: trial.reference?.solutionId,
    status: record?.status ?? "planned",
    outcome: last?.kind ?? record?.status ?? "planned",
    reward,
    reason,
    attempts: attempts.map(({ attempt, outcome, startedAt, endedAt, decidedBy, usage }) => ({
      attempt,
      outcome: outcome.kind,
      reward: rewardOf(outcome),
      reason: reasonOf(outcome),
      decidedBy,
      startedAt,
      endedAt,
      usage,
    })),
  };
}

async function showTrial(trialId: string, home: Home, context: CliContext): Promise<void> {
  for await (const run of listRuns(home.records, { newestFirst: true })) {
    const row = await findTrial(run.runId, trialId, home);
    if (row === undefined || row.attempts.length === 0) continue;
    for (const { attempt } of row.attempts) {
      const key = objectKeys.attempt(run.runId, row.trialId, attempt, "result.json");
      const result = await findStored(home.objects, key, AttemptResult);
      if (result === undefined) context.out.note(`attempt ${attempt}: ${home.locate(key)} is missing`);
      else {
        context.out.event(result);
        context.out.text(attemptText(result, home));
      }
    }
    return;
  }
  throw new TracemillError(
    "not-found",
    `no ended attempt of ${trialId} here; \`tracemill show RUN --trials\` lists trials`,
  );
}

/** @param start a trial's id, or the start of one. @throws TracemillError `invalid-input` when it fits several. */
async function findTrial(
  runId: string,
  start: string,
  { records }: Pick<Home, "records">,
): Promise<TrialRecord | undefined> {
  const { pk, sk: prefix } = recordKeys.trial(runId, start);
  const [first, second] = await Array.fromAsync(records.query(pk, { prefix, limit: 2 }));
  if (first === undefined) return undefined;
  if (second !== undefined && first.sk !== prefix)
    throw new TracemillError("invalid-input", `${start} fits several trials; give more of the id`);
  const trialId = first.sk.slice(recordKeys.trial(runId, "").sk.length);
  return (await readTrialRecord(records, runId, trialId))?.row;
}

function modelOf({ trial: { agent } }: AttemptResult): string {
  return agent.model === undefined ? "" : ` · ${agent.model}`;
}

function usageText({ usage }: AttemptResult): string | undefined {
  if (usage === undefined) return undefined;
  const { promptTokens, completionTokens, cachedTokens = 0, costUsd } = usage;
  const cost = costUsd === undefined ? "cost not known" : `${costUsd.toFixed(4)} USD`;
  return `tokens: ${promptTokens} in (${cachedTokens} cached), ${completionTokens} out; ${cost}`;
}

function attemptText(result: AttemptResult, home: Home): string {
  const { trial, outcome, timings, verifications, replay, claim, objects } = result;
  const reward = rewardOf(outcome);
  const lines = [
    `${trial.trialId} attempt ${result.attempt}: ${trial.task.name} · ${trial.agent.name}${modelOf(result)}`,
    `  outcome: ${outcome.kind}${reward === undefined ? "" : `, reward ${reward} (by ${result.decidedBy})`}`,
  ];
  const reason = reasonOf(outcome);
  if (reason !== undefined) lines.push(`  reason: ${reason}`);
  lines.push(
    `  times: environment ${timings.environmentMs} ms, agent ${timings.agentMs} ms, verifier ${timings.verifierMs} ms`,
  );
  const used = usageText(result);
  if (used !== undefined) lines.push(`  ${used}`);
  if (claim !== undefined) {
    lines.push(`  claim: ${claim.status}, which ${claim.holds ? "holds" : "does not hold"}`);
  }
  if (replay !== undefined) lines.push(...replayLines(replay));
  for (const verification of verifications) lines.push(...verificationLines(verification));
  lines.push(...redactionLines(result));
  for (const key of Object.values(objects)) if (key !== undefined) lines.push(`  ${home.locate(key)}`);
  return lines.join("\n");
}

function redactionLines({ redactions, redactedFiles }: AttemptResult): string[] {
  if (redactions === undefined) return [];
  const kinds = Object.entries(redactions).map(([kind, count]) => `${count} × ${kind}`);
  const files = redactedFiles === undefined ? [] : [`            in ${redactedFiles.join(", ")}`];
  return [`  taken out: ${kinds.join(", ")}`, ...files];
}

function replayLines({ same, calls, differences }: ReplayReport): string[] {
  const shown = differences.slice(0, 3).map(({ tool, recorded, live }) => {
    return `    ${tool}: recorded ${JSON.stringify(recorded.slice(0, 80))}, now ${JSON.stringify(live.slice(0, 80))}`;
  });
  return [`  replay: ${same} of ${calls} observations as recorded`, ...shown];
}

function verificationLines({ notCarried, stdout }: Verification): string[] {
  const refused = notCarried
    .slice(0, 5)
    .map(({ path, reason }) => `  not carried into verification: ${path} (${reason})`);
  const tail = stdout?.trim().split("\n").slice(-5).join("\n    ");
  return tail ? [...refused, `  verifier:\n    ${tail}`] : refused;
}
