import { badArguments, type Tool, textArgument } from "./tool.ts";

const timeoutMs = 180_000;
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
    ({ sandbox, signal }) =>
    async (args) => {
      const command = textArgument(args, ["command", "cmd", "script", "input"]);
      if (command === undefined) return badArguments("bash", "{command: string}");
      const cwd = textArgument(args, ["cwd", "workdir"]);
      const result = await sandbox.exec(["/bin/bash", "-c", command], {
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
