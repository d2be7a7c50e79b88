import { TracemillError } from "@tracemill/core/errors.ts";
import { type Instruction, parseDockerfile } from "../dockerfile/parse.ts";

/** How a build ended. */
export type BuildEnd =
  | { kind: "built"; id: string }
  | { kind: "late"; timeoutSec: number }
  /** `error`: what was thrown, when it was no instruction that failed. */
  | { kind: "error"; message: string; error?: unknown };

export interface BuildOutput {
  /** The number of the instruction that ran last, from 1; 0 before the first. */
  step: number;
  /** The end of what it printed. */
  tail: string;
  logFile: string;
}

/** Says what failed: line and instruction, how, the end of its output, and where all of it is. */
export function buildFailure(
  dockerfile: string,
  end: Exclude<BuildEnd, { kind: "built" }>,
  { step, tail, logFile }: BuildOutput,
): TracemillError {
  const instruction = instructionsOf(dockerfile)[step - 1];
  const at = instruction === undefined ? "Dockerfile" : `Dockerfile, line ${instruction.line}`;
  const missing = end.kind === "error" && missingFile(end.message);
  if (typeof missing === "string") {
    const message = `${at}: \`${missing}\` is not in the task's environment folder (or .dockerignore leaves it out)`;
    return new TracemillError("invalid-task", message);
  }
  const what = instruction === undefined ? at : `${at}: ${instruction.keyword} ${instruction.text}`;
  if (end.kind === "error" && /requires BuildKit/i.test(end.message)) {
    const message = `${what} wants BuildKit, and images of sandboxes are built by the engine's classic builder; say it without (${end.message.split(". ")[0]}), or build the image yourself and name it as docker_image`;
    return new TracemillError("unsupported", message);
  }
  const output = tail === "" ? "" : `:\n${tail}`;
  return new TracemillError(
    "sandbox-failed",
    `${what} ${howItEnded(end)}${output}\n(build log: ${logFile})`,
    {
      retryable: end.kind === "error" && end.error !== undefined,
      context: { logFile, ...(instruction === undefined ? {} : { line: instruction.line }) },
      ...(end.kind === "error" && end.error !== undefined ? { cause: end.error } : {}),
    },
  );
}

function instructionsOf(dockerfile: string): Instruction[] {
  try {
    return parseDockerfile(dockerfile).instructions;
  } catch {
    return [];
  }
}

function howItEnded(end: Exclude<BuildEnd, { kind: "built" }>): string {
  if (end.kind === "late") return `took longer than the ${end.timeoutSec} s of build_timeout_sec`;
  const code = /returned a non-zero code: (\d+)/.exec(end.message)?.[1];
  return code === undefined ? `failed: ${end.message}` : `exits with ${code}`;
}

/** The classic builder's words for a source of COPY or ADD that is not in the context. */
function missingFile(message: string): string | undefined {
  const found =
    /(?:file not found in build context or excluded by \.dockerignore: stat|forbidden path outside the build context:) (\S+?):? /.exec(
      `${message} `,
    );
  return found?.[1] ?? /no source files were specified/.exec(message)?.[0];
}
