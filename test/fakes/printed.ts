import type { Command } from "commander";
import { readConfig } from "../../packages/cli/src/config.ts";
import type { CliContext } from "../../packages/cli/src/context.ts";
import { openHome } from "../../packages/cli/src/deps.ts";
import { createOutput } from "../../packages/cli/src/output.ts";
import { fakeClock } from "./clock.ts";

/** What a command prints, on both streams, when it is run as the program would on the stores of `home`. */
export async function printed(
  home: string,
  command: (context: CliContext) => Command,
  ...args: string[]
): Promise<string> {
  return (await runCommand(home, command, ...args)).printed;
}

/** What a command prints, and its exit code. */
export async function runCommand(
  home: string,
  command: (context: CliContext) => Command,
  ...args: string[]
): Promise<{ printed: string; exitCode: number }> {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const { signal } = new AbortController();
  const context: CliContext = {
    config: readConfig({}),
    home,
    openHome: () => openHome(home),
    openCloud: () => Promise.reject(new Error("no cloud here")),
    clock: fakeClock(),
    random: Math.random,
    signal,
    draining: signal,
    out: { ...createOutput({ stdout: { write }, stderr: { write } }), json: args.includes("--json") },
    exitCode: 0,
  };
  await command(context)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(args, { from: "user" });
  return { printed: text, exitCode: context.exitCode };
}
