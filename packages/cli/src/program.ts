import { systemClock } from "@tracemill/local/system-clock.ts";
import { Command, CommanderError } from "commander";
import { cancelCommand } from "./commands/cancel.ts";
import { cleanCommand } from "./commands/clean.ts";
import { claudeCommand, codexCommand } from "./commands/codex.ts";
import { costCommand } from "./commands/cost.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { exportCommand } from "./commands/export.ts";
import { importCommand } from "./commands/import.ts";
import { ingestCommand } from "./commands/ingest.ts";
import { logsCommand } from "./commands/logs.ts";
import { modelCommand } from "./commands/model.ts";
import { prepareCommand } from "./commands/prepare.ts";
import { prodCommand } from "./commands/prod.ts";
import { proxyCommand } from "./commands/proxy.ts";
import { redactCommand } from "./commands/redact.ts";
import { reportCommand } from "./commands/report.ts";
import { resumeCommand } from "./commands/resume.ts";
import { rewardModelCommand } from "./commands/reward-model.ts";
import { runCommand } from "./commands/run.ts";
import { runsCommand } from "./commands/runs.ts";
import { schemaCommand } from "./commands/schema.ts";
import { showCommand } from "./commands/show.ts";
import { snapshotsCommand } from "./commands/snapshots.ts";
import { statusCommand } from "./commands/status.ts";
import { syncCommand } from "./commands/sync.ts";
import { taskCommand } from "./commands/task.ts";
import { readConfig } from "./config.ts";
import type { CliContext } from "./context.ts";
import { openHome } from "./deps.ts";
import { reportError } from "./exit.ts";
import { drainWords, watchInterrupts } from "./interrupts.ts";
import { createOutput, type Output, tolerateClosedPipes } from "./output.ts";

/** Runs one command line. @returns the exit code. */
export async function runCli(args: readonly string[]): Promise<number> {
  tolerateClosedPipes([process.stdout, process.stderr]);
  const out = createOutput(process);
  const interruptWords = drainWords();
  using interrupts = watchInterrupts(out, interruptWords);
  const config = readConfig();
  const context: CliContext = {
    config,
    home: config.home,
    openHome: () => openHome(config.home),
    openCloud: async (place) =>
      (await import("./aws/open-cloud.ts")).openCloud(place, { home: config.home, clock: systemClock }),
    clock: systemClock,
    random: Math.random,
    signal: interrupts.signal,
    draining: interrupts.draining,
    interruptWords,
    out,
    exitCode: 0,
  };
  try {
    await createProgram(context).parseAsync(args, { from: "user" });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return reportError(error, out);
  }
}

/** The whole command line. */
export function createProgram(context: CliContext): Command {
  const program = new Command("tracemill")
    .description("Turns production agent activity into verified tasks, traces, evaluations and datasets.")
    .version("0.1.0")
    .exitOverride()
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .hook("preAction", (_, action) => setJson(action, context.out))
    .addHelpText(
      "after",
      "\nStores live in .tracemill/ (or $TRACEMILL_HOME).\nTry it: tracemill demo\nWhat this machine can do: tracemill doctor",
    );
  const commands = [
    ingestCommand(context),
    snapshotsCommand(context),
    prepareCommand(context),
    prodCommand(context),
    importCommand(context),
    runCommand(context),
    resumeCommand(context),
    cancelCommand(context),
    runsCommand(context),
    statusCommand(context),
    showCommand(context),
    reportCommand(context),
    logsCommand(context),
    exportCommand(context),
    rewardModelCommand(context),
    syncCommand(context),
    costCommand(context),
    taskCommand(context),
    modelCommand(context),
    proxyCommand(context),
    codexCommand(context),
    claudeCommand(context),
    redactCommand(context),
    schemaCommand(context),
    doctorCommand(context),
    cleanCommand(context),
    demoCommand(context),
  ];
  for (const command of commands) program.addCommand(inherit(command));
  return program;
}

/** Commands made elsewhere report to us too, instead of ending the process. */
function inherit(command: Command): Command {
  command.exitOverride().showSuggestionAfterError();
  for (const inner of command.commands) inherit(inner);
  return command;
}

function setJson(action: Command, out: Output): void {
  out.json = action.opts<{ json?: boolean }>().json === true;
}
