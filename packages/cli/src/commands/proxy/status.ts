import { kill } from "node:process";
import { TracemillError } from "@tracemill/core/errors.ts";
import { hasErrno } from "@tracemill/local/disk.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { Command } from "commander";
import type { CliContext } from "../../context.ts";
import { findRunning, type RunningProxy } from "./proxy-home.ts";

/** How long a proxy may take to write what it holds: uploads included. */
const stopMs = 60_000;
const pauseMs = 50;

/** `tracemill proxy status`: exit code 1 when none runs. */
export function statusCommand(context: CliContext): Command {
  return new Command("status")
    .description("say whether this home's proxy runs")
    .option("--json", "one JSON line")
    .action(async () => {
      const running = await findRunning(context);
      context.exitCode = running === undefined ? 1 : 0;
      context.out.event({ running: running !== undefined, ...running });
      if (running === undefined) return context.out.text("no proxy runs; start it with: tracemill proxy");
      context.out.text(`running at ${running.url} (pid ${running.pid}, since ${running.startedAt})`);
      context.out.text(`captures go to ${running.captures}`);
    });
}

/** `tracemill proxy stop`. */
export function stopCommand(context: CliContext): Command {
  return new Command("stop")
    .description("stop this home's proxy, once what it holds is written")
    .action(async () => {
      const running = await findRunning(context);
      if (running === undefined) return context.out.text("no proxy runs");
      await stop(running, context);
      context.out.text(`stopped (pid ${running.pid})`);
    });
}

/** Its file is gone as soon as it takes no more clients; what it holds is written when the process is gone. */
async function stop({ pid, owner }: RunningProxy, context: CliContext): Promise<void> {
  const { clock, signal } = context;
  // Ctrl-C's signal: the first one lets it finish.
  signalTo(pid, "SIGINT");
  const giveUpAt = clock.now() + stopMs;
  while (!processOwner(clock.now()).isGone(owner)) {
    if (clock.now() > giveUpAt) {
      throw new TracemillError(
        "timeout",
        `pid ${pid} still runs after ${stopMs / 1_000} s; end it with: kill ${pid}`,
      );
    }
    await clock.sleep(pauseMs, signal);
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}
