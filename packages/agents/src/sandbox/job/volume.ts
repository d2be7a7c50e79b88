import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { isCode } from "../namespace/open-folder.ts";

/**
 * Works on a box's volume. Whatever runs in the box may have changed it at the same moment, so that any system call
 * may fail; the box is at fault then, and not the worker.
 * @throws TracemillError `sandbox-failed`.
 */
export function inVolume<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TracemillError) throw error;
    const reason = isCode(error, "ENOSPC", "EDQUOT")
      ? "the task's disk is full (`compute.sandbox.diskGiB`)"
      : `something in the box has changed its volume: ${messageOf(error)}`;
    throw new TracemillError("sandbox-failed", reason, { cause: error });
  }
}
