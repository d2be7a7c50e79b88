import { badArguments, type Tool, textArgument } from "./tool.ts";

const usualTimeoutMs = 180_000;
const longestTimeoutMs = 600_000;
const outputBytes = 64 * 1024;

/** Runs a command line in the working directory; answers with stdout, stderr, and the exit code unless it is 0. */
export const bash: Tool = {
  names: [
    "bash",
    "Bash",
    "shell",
    "terminal",
    "exec_command",
    "run_command",
    "execute_bash",
    "run_shell_command",
  ],
  definition: {
    type: "function",
    function: {
      name: "bash",
      description: "Runs a command line with bash in the working directory and returns its output.",
      parameters: {
        type: "object",
        properties: {
          command: { type: "string", description: "The command line." },
          timeout: {
            type: "number",
            description: "Seconds after which it is killed with all that it started. Default: 180.",
          },
        },
        required: ["command"],
      },
    },
  },
  open:
    ({ sandbox, signal, timeoutMs: mostMs = longestTimeoutMs }) =>
    async (args) => {
      const command = commandOf(args);
      if (command === undefined) return badArguments("bash", "{command: string}");
      const timeoutMs = Math.min(askedMs(args.timeout) ?? usualTimeoutMs, mostMs);
      const cwd = textArgument(args, ["cwd", "workdir"]);
      const result = await sandbox.exec(command, {
        timeoutMs,
        maxOutputBytes: outputBytes,
        signal,
        ...(cwd === undefined ? {} : { cwd }),
      });
      const output = result.stdout + result.stderr;
      if (result.timedOut) return `${output}\n[timed out after ${timeoutMs / 1_000} s]`;
      return result.exitCode === 0 ? output : `${output}\n[exit code ${result.exitCode}]`;
    },
};

function askedMs(seconds: unknown): number | undefined {
  return typeof seconds === "number" && seconds > 0 ? Math.ceil(seconds * 1_000) : undefined;
}

export function isShellCall(name: string): boolean {
  return bash.names.includes(name);
}

/** The command line of a call, for who would type it. */
export function shellLineOf(args: Record<string, unknown>): string | undefined {
  const command = commandOf(args);
  if (command === undefined) return undefined;
  const [program, option, line] = command;
  const isShell =
    command.length === 3 && /(?:^|\/)(?:ba)?sh$/.test(program ?? "") && /^-l?c$/.test(option ?? "");
  return isShell ? line : command.map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line for bash, or a program with its arguments (`["bash", "-lc", "ls"]`), which needs no shell. */
function commandOf(args: Record<string, unknown>): string[] | undefined {
  const names = ["command", "cmd", "script", "input"];
  const line = textArgument(args, names);
  if (line !== undefined) return ["/bin/bash", "-c", line];
  const words = names.map((name) => args[name]).find(Array.isArray);
  return words === undefined || words.length === 0 ? undefined : words.map(String);
}
