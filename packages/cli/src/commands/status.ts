import { isTracemillError } from "@tracemill/core/errors.ts";
import { summaryNow } from "@tracemill/core/report/report-now.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { Command } from "commander";
import { inCloud, inLocal, isOnAws, type PlaceOptions, withPlace } from "../aws/place.ts";
import { watchToItsEnd } from "../aws/run.ts";
import { latestExecution } from "../aws/run-executions.ts";
import { sayStatus } from "../aws/status.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, CloudHome, LocalHome } from "../context.ts";
import { goOnWords } from "../go-on.ts";

interface Options extends PlaceOptions {
  watch?: boolean;
}

const help = `
Examples:
  tracemill status --on aws --stage prod
  tracemill status run_01J… --on aws --watch

How far a run is, at what rate, what it cost so far, which shards failed and why, and where the console shows it.
RUN is an id, the start of one, a run's name, or \`latest\`.`;

export function statusCommand(context: CliContext): Command {
  return withPlace(new Command("status"))
    .description("say how a run stands")
    .argument("[run]", "id, start of an id, name, or `latest`", "latest")
    .option("-w, --watch", "on AWS: go on saying it until the run has ended")
    .option("--json", "one JSON line")
    .addHelpText("after", help)
    .action((reference: string, options: Options) => {
      if (!isOnAws(options, context)) return inLocal(context, (home) => statusHere(reference, home, context));
      return inCloud(options, context, async (cloud) => {
        const run = await chosenRun(reference, cloud);
        await sayStatus(run, cloud, context);
        if (options.watch === true) await watchOn(run, cloud, context);
      });
    });
}

async function watchOn(run: RunRecord, cloud: CloudHome, context: CliContext): Promise<void> {
  const latest = await latestExecution(run.runId, cloud);
  if (latest?.status === "RUNNING") await watchToItsEnd(run.runId, latest.arn, cloud, context);
}

async function statusHere(reference: string, home: LocalHome, { out }: CliContext): Promise<void> {
  const run = await chosenRun(reference, home);
  out.text(`${run.runId} (${run.name}) ${run.status}${run.status === "stopped" ? `: ${run.reason}` : ""}`);
  const standing = await summaryNow(run, home).catch((error: unknown) => {
    if (isTracemillError(error, "not-found")) return undefined;
    throw error;
  });
  const summary = standing?.summary;
  out.event({ type: "status", run, ...(summary && { summary }) });
  if (summary === undefined) out.text("no plan yet");
  else {
    const outcomes = Object.entries(summary.outcomes).map(([kind, count]) => `${count} ${kind}`);
    const cost = summary.costUsd > 0 ? ` · ${summary.costUsd.toFixed(2)} USD` : "";
    out.text(`${summary.ended}/${summary.trials} trials · ${outcomes.join(", ") || "none ended yet"}${cost}`);
  }
  if (run.status === "stopped") out.text(goOnWords(run.reason, `tracemill resume ${run.runId}`));
}
