import { isTracemillError, messageOf } from "@tracemill/core/errors.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";

/**
 * Checks something; what it throws becomes a check too. What this identity may not look at is a warning: the stage's
 * own roles have rights of their own.
 * @param unseen what it means when the thing could not be looked at for another reason.
 */
export async function checked(
  name: string,
  work: () => Promise<DoctorCheck | DoctorCheck[]>,
  unseen: "missing" | "warning" = "missing",
): Promise<DoctorCheck[]> {
  try {
    return [await work()].flat();
  } catch (error) {
    const status = isTracemillError(error, "unauthorized") ? "warning" : unseen;
    return [{ name, status, ...inParts(messageOf(error)) }];
  }
}

/** A message of ours says what is wrong, then what to do. */
function inParts(message: string): { detail: string; remedy?: string } {
  const cut = message.lastIndexOf("; ");
  return cut === -1 ? { detail: message } : { detail: message.slice(0, cut), remedy: message.slice(cut + 2) };
}
