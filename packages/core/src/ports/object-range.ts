import { TracemillError } from "../errors.ts";
import type { GetOptions } from "./object-store.ts";

/**
 * The part of a range that an object of `size` bytes has; one beyond its end is empty.
 * @throws TracemillError `invalid-input`.
 */
export function clampRange(
  range: GetOptions["range"],
  size: number,
  key: string,
): { start: number; end: number } {
  const { start, end = size } = range ?? { start: 0 };
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    start < 0 ||
    (range?.end ?? start) < start
  ) {
    throw new TracemillError("invalid-input", `${key}: the range ${start} to ${end} is not one`);
  }
  return { start: Math.min(start, size), end: Math.min(Math.max(end, start), size) };
}
