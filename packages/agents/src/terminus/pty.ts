import type { Sandbox, SandboxProcess } from "@tracemill/core/ports/sandbox.ts";

/** How the launcher ends where nothing can open a terminal. */
export const noPtyExitCode = 97;

export interface TerminalSize {
  cols: number;
  rows: number;
}

/**
 * What bash reads besides the user's own `.bashrc`: it marks its prompts, and commands that begin, by sequences that
 * terminals show nowhere (OSC 133), which tells when a command has ended.
 */
const bashMarks = String.raw`
[ -r ~/.bashrc ] && . ~/.bashrc
PROMPT_COMMAND="$PROMPT_COMMAND
printf '\033]133;A\007'"
PS0='\e]133;C\a'
exec 9<&-
`;

/** What runs in the terminal: no login shell, whose profile would replace the PATH that the environment has set. */
function shellCommand({ cols, rows }: TerminalSize): string {
  return `stty sane rows ${rows} cols ${cols}
command -v bash >/dev/null || exec sh -i
exec bash --rcfile /dev/fd/9 -i 9<<'END_OF_RC'${bashMarks}END_OF_RC
`;
}

/** Python's way, where util-linux is missing. */
const pythonPty =
  'import os,pty,sys; status=pty.spawn(["/bin/sh","-c",sys.argv[1]]); sys.exit(status >> 8 or status & 127)';

const launcher = `
export TERM=xterm-256color LANG="\${LANG:-C.UTF-8}" SHELL="$(command -v bash || command -v sh)"
if script --version 2>/dev/null | grep -q util-linux; then exec script -qfec "$1" /dev/null; fi
if command -v python3 >/dev/null; then exec python3 -c "$2" "$1"; fi
exit ${noPtyExitCode}
`;

/** Starts a shell on a pseudo-terminal in a sandbox. It ends with `noPtyExitCode` where none can be had. */
export function startShell(sandbox: Sandbox, size: TerminalSize): Promise<SandboxProcess> {
  return sandbox.start(["/bin/sh", "-c", launcher, "terminal", shellCommand(size), pythonPty]);
}
