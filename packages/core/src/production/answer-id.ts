import { idOf, isObject } from "../ingest/json.ts";

/** Where an API may put what it made, beside the answer itself. */
const WRAPPERS = ["data", "result", "solution", "task", "claim", "submission"];

/**
 * The id of what a write made: `id`, or one of `names`, in the answer or in what it wraps.
 * @param names such as `solution_id`, the likeliest first.
 */
export function answerId(answer: unknown, names: readonly string[]): string | undefined {
  if (!isObject(answer)) return undefined;
  for (const place of [answer, ...WRAPPERS.map((key) => answer[key])]) {
    if (!isObject(place)) continue;
    const found = [...names, "id"].map((name) => idOf(place[name])).find((id) => id !== undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}
