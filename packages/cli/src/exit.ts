import { type ErrorCode, TracemillError } from "@tracemill/core/errors.ts";
import type { Output } from "./output.ts";

/** Exit codes: 0 done, 1 the work failed or was left unfinished, 2 the user's input, 130 interrupted. */
const usersMistakes: ReadonlySet<ErrorCode> = new Set([
  "invalid-input",
  "invalid-spec",
  "invalid-task",
  "invalid-trajectory",
  "invalid-archive",
  "unauthorized",
  "not-found",
  "unsupported",
]);

/** Says what went wrong, without a stack for what a user can mend, and gives the exit code for it. */
export function reportError(error: unknown, out: Output): number {
  if (!(error instanceof TracemillError)) {
    if (error instanceof Error && error.name === "AbortError") return 130;
    out.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    out.event({ type: "error", code: "internal", message: String(error) });
    return 1;
  }
  out.note(`error: ${error.message}`);
  out.event({ type: "error", code: error.code, message: error.message });
  if (error.code === "cancelled") return 130;
  return usersMistakes.has(error.code) ? 2 : 1;
}
