import { badArguments, type Tool, textArgument } from "./tool.ts";

const defaultTimeoutMs = 180_000;
const outputBytes = 64 * 1024;

/** Runs a command line in the working directory; answers with stdout, stderr, and the exit code unless it is 0. */
export const bash: Tool = {
  names: ["bash", "shell", "terminal", "exec_command", "run_command", "execute_bash", "run_shell_command"],
  definition: {
    type: "function",
    function: {
      name: "bash",
      description: "Runs a command line with bash in the working directory and returns its output.",
      parameters: {
        type: "object",
        properties: { command: { type: "string", description: "The command line." } },
        required: ["command"],
      },
    },
  },
  open:
    ({ sandbox, signal, timeoutMs = defaultTimeoutMs }) =>
    async (args) => {
      const command = commandOf(args);
      if (command === undefined) return badArguments("bash", "{command: string}");
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

/** A command line for bash, or a program with its arguments (`["bash", "-lc", "ls"]`), which needs no shell. */
function commandOf(args: Record<string, unknown>): string[] | undefined {
  const names = ["command", "cmd", "script", "input"];
  const line = textArgument(args, names);
  if (line !== undefined) return ["/bin/bash", "-c", line];
  const words = names.map((name) => args[name]).find(Array.isArray);
  return words === undefined || words.length === 0 ? undefined : words.map(String);
}
