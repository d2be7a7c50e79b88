import { access, constants, open, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { captureProgram } from "./proxy/exec.ts";
import { isOurScript } from "./proxy/install.ts";

/** `tracemill codex`: the user's own Codex, captured. */
export function codexCommand(context: CliContext): Command {
  return wrapper("codex", "Codex", "npm install -g @openai/codex", context);
}

/** `tracemill claude`: the user's own Claude Code, captured. */
export function claudeCommand(context: CliContext): Command {
  return wrapper("claude", "Claude Code", "npm install -g @anthropic-ai/claude-code", context);
}

function wrapper(program: string, title: string, remedy: string, context: CliContext): Command {
  return new Command(program)
    .description(`run your ${title} with every exchange captured; all arguments are its own`)
    .argument("[args...]", `as ${program} takes them`)
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async (args: string[]) => {
      const path = await findProgram(program, context);
      if (path === undefined) {
        throw new TracemillError("not-found", `${program}: not on the PATH; install it with: ${remedy}`);
      }
      await captureProgram([path, ...args], { on: "local" }, context);
    });
}

/** The program on the PATH, our own script of that name apart: it would start itself. */
async function findProgram(name: string, { config }: CliContext): Promise<string | undefined> {
  for (const folder of (config.variable("PATH") ?? "").split(delimiter)) {
    const path = join(folder || ".", name);
    if ((await isExecutable(path)) && !(await isOurs(path))) return path;
  }
  return undefined;
}

/** A folder may be entered, which is not what shells mean. */
async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Reads the start alone: programs are hundreds of megabytes. Those that may be run but not read are not ours. */
async function isOurs(path: string): Promise<boolean> {
  await using file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
  return isOurScript(buffer.toString("utf8", 0, bytesRead));
}
