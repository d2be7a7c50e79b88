import type { SandboxLimits } from "@tracemill/core/ports/sandbox.ts";

/** A word for a shell, whatever is in it but NUL. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export interface CommandToRun {
  command: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  limits: SandboxLimits;
}

/**
 * The script that becomes a command, with nothing of the box's own variables. It is the image's `env` that starts it:
 * busybox's would rather start tools of its own.
 */
export function commandScript({ command, cwd, env, limits }: CommandToRun): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const words = [...variables, ...asProgram(command)].map(quoted).join(" ");
  const folder = quoted(cwd);
  return `${limitLines(limits)}umask 022
cd ${folder} 2> /dev/null || { echo "cannot change directory to" ${folder} >&2; exit 126; }
env=/usr/bin/env
[ -x $env ] || env=/bin/env
exec $env -i -- ${words}
`;
}

/** `env` would take a program with an equals sign in its name for a variable. */
function asProgram(command: readonly string[]): readonly string[] {
  return command[0]?.includes("=") === true ? ["/bin/sh", "-c", 'exec "$0" "$@"', ...command] : command;
}

/** A shell counts files in blocks of 512 bytes and memory in KiB. What it cannot set stays as the container has it. */
function limitLines({ fileBytes, memoryBytes }: SandboxLimits): string {
  const lines = [
    "-c 0",
    ...(fileBytes === undefined ? [] : [`-f ${Math.ceil(fileBytes / 512)}`]),
    ...(memoryBytes === undefined ? [] : [`-d ${Math.ceil(memoryBytes / 1024)}`]),
  ];
  return lines.map((limit) => `ulimit ${limit} 2> /dev/null\n`).join("");
}

/** Settings of the scripts that are ours: byte by byte, in one language, with the box's own path. */
export const ownSettings =
  "LC_ALL=C QUOTING_STYLE=literal TZ=UTC0\nexport LC_ALL QUOTING_STYLE TZ\numask 022\n";
