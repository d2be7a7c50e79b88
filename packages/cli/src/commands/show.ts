import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import {
  RunSummary,
  readStandings,
  summarize,
  type TrialStanding,
} from "@tracemill/core/pipeline/results.ts";
import { rewardOf } from "@tracemill/core/run/outcome.ts";
import type { AttemptResult, ReplayReport, Verification } from "@tracemill/core/run/result.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { listRuns } from "@tracemill/core/run/runs.ts";
import { findStored } from "@tracemill/core/stored-json.ts";
import { readResult, reasonOf } from "@tracemill/core/trial/result.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../aws/place.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, Home } from "../context.ts";
import { summaryText } from "../summary.ts";
import { table } from "../tables.ts";

const help = `
Examples:
  tracemill show latest
  tracemill show run_01J… --trials
  tracemill show trl_0a1b2c…
  tracemill show latest --on aws --stage prod
  tracemill show latest --json | jq -r 'select(.outcome != "scored") | .trialId'

RUN is an id, the start of one, a run's name, or \`latest\`. With --json a run prints one line a trial.`;

export function showCommand(context: CliContext): Command {
  return withPlace(new Command("show"))
    .description("show a run, or one trial with all its attempts")
    .argument("<run-or-trial>", "a run, or a trial's id")
    .option("--trials", "list the trials of a run")
    .option("--json", "JSON lines: each trial with its attempts, outcome and reward")
    .addHelpText("after", help)
    .action((reference: string, options: PlaceOptions & { trials?: boolean }) =>
      inHome(options, context, async (home) => {
        if (reference.startsWith("trl_")) return showTrial(reference, home, context);
        const run = await chosenRun(reference, home);
        return showRun(run, options.trials === true, home, context);
      }),
    );
}

async function showRun(run: RunRecord, trials: boolean, home: Home, context: CliContext): Promise<void> {
  const { out } = context;
  out.text(`${run.runId} (${run.name}) ${run.status}${run.status === "stopped" ? `: ${run.reason}` : ""}`);
  if (out.json || trials) await listTrials(run.runId, home, context);
  else {
    out.text(`\n${await summaryOrNothing(run, home)}`);
    out.text(`results: ${home.locate(objectKeys.runResults(run.runId))}`);
    if (run.status === "finished" && run.dataset !== undefined)
      out.text(`dataset: ${home.locate(run.dataset)}`);
    if (run.status === "stopped") out.text(`go on with: tracemill resume ${run.runId}${home.flags}`);
  }
}

/** A finished run's summary is stored; of others each trial's row is read. */
async function summaryOrNothing({ runId, status }: RunRecord, home: Home): Promise<string> {
  try {
    const stored =
      status === "finished"
        ? await findStored(home.objects, objectKeys.runSummary(runId), RunSummary)
        : undefined;
    return summaryText(stored ?? (await summarize(runId, home)));
  } catch (error) {
    if (!isTracemillError(error, "not-found")) throw error;
    return "no plan yet: the run stopped before it knew its trials";
  }
}

async function listTrials(runId: string, home: Home, { out }: CliContext): Promise<void> {
  const rows: string[][] = [];
  for await (const standing of readStandings(runId, home)) {
    const line = standingLine(runId, standing);
    out.event(line);
    if (!out.json)
      rows.push([
        line.trialId,
        line.task,
        line.agent,
        line.outcome,
        String(line.reward ?? "–"),
        String(line.attempts.length),
        shortened(line.reason ?? ""),
      ]);
  }
  const reasons = rows.some((row) => row.at(-1) !== "");
  const head = ["trial", "task", "agent", "outcome", "reward", "attempts", ...(reasons ? ["reason"] : [])];
  out.text(
    table(
      head,
      rows.map((row) => row.slice(0, head.length)),
    ),
  );
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
    const results = await attemptsOf(run.runId, trialId, home);
    if (results.length === 0) continue;
    for (const result of results) {
      context.out.event(result);
      context.out.text(attemptText(result, home));
    }
    return;
  }
  throw new TracemillError(
    "not-found",
    `no ended attempt of ${trialId} here; \`tracemill show RUN --trials\` lists trials`,
  );
}

/** @param start a trial's id, or the start of one. @throws TracemillError `invalid-input` when it fits several. */
async function attemptsOf(runId: string, start: string, home: Home): Promise<AttemptResult[]> {
  const keys: string[] = [];
  const trials = `${objectKeys.run(runId)}trials/`;
  for await (const { key } of home.objects.list(`${trials}${start}`)) {
    if (!key.endsWith("/result.json")) continue;
    const folder = key.slice(0, key.indexOf("/", trials.length) + 1);
    if (keys[0]?.startsWith(folder) === false)
      throw new TracemillError("invalid-input", `${start} fits several trials; give more of the id`);
    keys.push(key);
  }
  const results = await Promise.all(keys.map((key) => readResult(key, home.objects)));
  return results.toSorted((a, b) => a.attempt - b.attempt);
}

function attemptText(result: AttemptResult, home: Home): string {
  const { trial, outcome, timings, verifications, replay, claim, objects } = result;
  const reward = rewardOf(outcome);
  const lines = [
    `${trial.trialId} attempt ${result.attempt}: ${trial.task.name} · ${trial.agent.name}`,
    `  outcome: ${outcome.kind}${reward === undefined ? "" : `, reward ${reward} (by ${result.decidedBy})`}`,
  ];
  const reason = reasonOf(outcome);
  if (reason !== undefined) lines.push(`  reason: ${reason}`);
  lines.push(
    `  times: environment ${timings.environmentMs} ms, agent ${timings.agentMs} ms, verifier ${timings.verifierMs} ms`,
  );
  if (claim !== undefined) {
    lines.push(`  claim: ${claim.status}, which ${claim.holds ? "holds" : "does not hold"}`);
  }
  if (replay !== undefined) lines.push(...replayLines(replay));
  for (const verification of verifications) lines.push(...verificationLines(verification));
  for (const key of Object.values(objects)) if (key !== undefined) lines.push(`  ${home.locate(key)}`);
  return lines.join("\n");
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
