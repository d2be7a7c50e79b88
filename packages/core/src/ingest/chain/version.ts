import { idOf, numberOf } from "../json.ts";

/** What a list entry may say of when its task last changed. Camel case is read as well. */
const TASK_TIMES = bothCases([
  "updated_at",
  "modified_at",
  "last_modified",
  "last_modified_at",
  "last_updated",
  "last_updated_at",
  "last_activity_at",
  "changed_at",
  "update_time",
]);
/** Of when its solutions did. */
const SOLUTION_TIMES = bothCases([
  "solutions_updated_at",
  "last_solution_at",
  "latest_solution_at",
  "last_submission_at",
]);
/** Of how many there are. */
const SOLUTION_COUNTS = bothCases([
  "solutions_count",
  "solution_count",
  "num_solutions",
  "n_solutions",
  "total_solutions",
  "submissions_count",
  "submission_count",
]);

type Entry = Record<string, unknown>;

/** It says when the task last changed. */
export function isVersioned(entry: Entry): boolean {
  return TASK_TIMES.some((field) => idOf(entry[field]) !== undefined);
}

/** It says something of the solutions that changes with them: how many there are, or when the last one changed. */
export function coversSolutions(entry: Entry): boolean {
  return (
    solutionCount(entry) !== undefined || SOLUTION_TIMES.some((field) => idOf(entry[field]) !== undefined)
  );
}

/** How many solutions the entry says that there are. */
export function solutionCount(entry: Entry): number | undefined {
  return SOLUTION_COUNTS.map((field) => numberOf(entry[field])).find((count) => count !== undefined);
}

/** The latest of its timestamps, in milliseconds since the epoch; `undefined` when none can be read. */
export function latestTime(entry: Entry): number | undefined {
  const times = [...TASK_TIMES, ...SOLUTION_TIMES]
    .map((field) => timeOf(entry[field]))
    .filter((time) => time !== undefined)
    .filter((time) => time >= 0 && time <= LATEST);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Whether two views of one task, read one after the other, name different versions of it. */
export function disagree(entry: Entry, detail: Entry): boolean {
  return [...TASK_TIMES, ...SOLUTION_TIMES, ...SOLUTION_COUNTS].some((field) => {
    const [one, other] = [idOf(entry[field]), idOf(detail[field])];
    return one !== undefined && other !== undefined && one !== other;
  });
}

/** Seconds since the epoch stay below this until the year 5138; milliseconds have been above it since 1973. */
const LARGEST_SECONDS = 1e11;
/** The end of the year 9999. What is later, or before 1970, stands for something else, such as "never". */
const LATEST = 253_402_300_799_999;

function timeOf(value: unknown): number | undefined {
  const number = numberOf(value);
  if (number !== undefined) return number > LARGEST_SECONDS ? number : number * 1_000;
  return typeof value === "string" ? isoTime(value) : undefined;
}

/** ISO 8601 in milliseconds since the epoch; a time without a zone is taken for UTC. */
export function isoTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d/.test(text)) return undefined;
  const zoned = /T.*(Z|[+-]\d\d:?\d\d)$/i;
  const joined = text.trim().replace(" ", "T");
  const time = Date.parse(joined.includes("T") && !zoned.test(joined) ? `${joined}Z` : joined);
  return Number.isNaN(time) ? undefined : time;
}

function bothCases(names: readonly string[]): string[] {
  return names.flatMap((name) => [
    name,
    name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  ]);
}
