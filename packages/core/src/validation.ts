import leven from "leven";
import type * as z from "zod";
import { type ErrorCode, TracemillError } from "./errors.ts";

/** The candidate nearest to `word`, when it is near enough to be a slip of the hand. */
export function suggestion(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = leven(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/**
 * Parses `value`; a failure becomes one error that names `where` (a file, a row), each field, and for an
 * unknown key the known one that it resembles.
 */
export function parseAs<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: string,
  code: ErrorCode = "invalid-input",
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, schema)).slice(0, 10);
  throw new TracemillError(code, `${where}: ${problems.join("; ")}`, { context: { where, problems } });
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, path);
    return issue.keys.map((key) => {
      const near = suggestion(key, known);
      const hint =
        near === undefined ? `known keys: ${known.join(", ") || "none"}` : `did you mean \`${near}\`?`;
      return `unknown key \`${[...path, key].join(".")}\` (${hint})`;
    });
  }
  const branches = issue.code === "invalid_union" ? nearestBranch(issue.errors) : undefined;
  if (branches !== undefined) {
    return branches.flatMap((inner) =>
      describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, schema),
    );
  }
  const what = path.length === 0 ? "" : `\`${path.join(".")}\`: `;
  return [`${what}${inWords(issue.message)}`];
}

/** Zod's words in ours: `Invalid input: expected array, received undefined` becomes `is missing; it wants an array`. */
function inWords(message: string): string {
  const [, wanted] = /^Invalid input: expected (.+), received undefined$/.exec(message) ?? [];
  if (wanted !== undefined) return `is missing; it wants ${article(wanted)}`;
  return message.replace(/^Invalid (input|option): /, "");
}

function article(noun: string): string {
  return `${/^[aeio]/.test(noun) ? "an" : "a"} ${noun}`;
}

/** Of a union's branches, the one that the value came closest to: the fewest complaints, none about its type. */
function nearestBranch(branches: z.core.$ZodIssue[][]): z.core.$ZodIssue[] | undefined {
  const candidates = branches.filter(
    (issues) => !issues.some((issue) => issue.code === "invalid_type" && issue.path.length === 0),
  );
  return candidates.toSorted((a, b) => a.length - b.length)[0];
}

interface SchemaDef {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: z.ZodType[];
  in?: z.ZodType;
}

/** The keys that objects at `path` of the schema may have. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  const def = schema.def as unknown as SchemaDef;
  const inner = def.innerType ?? def.in;
  if (inner !== undefined) return keysAt(inner, path);
  if (def.options !== undefined) return [...new Set(def.options.flatMap((option) => keysAt(option, path)))];
  const [head, ...rest] = path;
  if (head === undefined) return Object.keys(def.shape ?? {});
  const next = def.shape?.[head] ?? def.element ?? def.valueType;
  return next === undefined ? [] : keysAt(next, rest);
}
