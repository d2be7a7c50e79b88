import { posix } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxEnvironment } from "@tracemill/core/ports/sandbox.ts";
import ignore from "ignore";

export type ContextFile = SandboxEnvironment["files"][number];

/** Files that a COPY source names, with their paths below the target. */
export interface CopyMatch {
  /** The source is one file: a target that is no folder takes its place. */
  single: boolean;
  files: { below: string; file: ContextFile }[];
}

/** The build context without what `.dockerignore` leaves out. Its patterns are anchored, unlike those of git. */
export function contextFiles(files: readonly ContextFile[]): ContextFile[] {
  const rules = files.find(({ path }) => path === ".dockerignore");
  if (rules === undefined) return [...files];
  const lines = Buffer.from(rules.content).toString("utf8").split(/\r?\n/);
  const filter = ignore().add(lines.map(anchored));
  return files.filter(({ path }) => !filter.ignores(path));
}

function anchored(line: string): string {
  const rule = line.trim();
  if (rule === "" || rule.startsWith("#")) return rule;
  const negated = rule.startsWith("!");
  const pattern = posix.normalize(rule.slice(negated ? 1 : 0)).replace(/^\/+|\/+$/g, "");
  return `${negated ? "!" : ""}/${pattern}`;
}

/**
 * What a COPY source stands for: a file, the content of a folder, or what a pattern (`*`, `?`, `[a-z]`) matches.
 * @throws TracemillError `invalid-task` when nothing matches.
 */
export function matchSource(source: string, files: readonly ContextFile[], where: string): CopyMatch {
  const clean = posix.normalize(`/${source}`).slice(1).replace(/\/$/, "");
  const file = files.find(({ path }) => path === clean);
  if (file !== undefined) return { single: true, files: [{ below: posix.basename(clean), file }] };
  const inside = below(clean, files);
  if (inside.length > 0) return { single: false, files: inside };
  const matched = topMatches(globPattern(clean), files).flatMap((path) => {
    const exact = files.find((candidate) => candidate.path === path);
    return exact === undefined ? below(path, files) : [{ below: posix.basename(path), file: exact }];
  });
  if (matched.length > 0) return { single: matched.length === 1, files: matched };
  throw new TracemillError(
    "invalid-task",
    `${where}: \`${source}\` is not in the task's environment folder (or .dockerignore leaves it out)`,
  );
}

function below(folder: string, files: readonly ContextFile[]): CopyMatch["files"] {
  const prefix = folder === "" ? "" : `${folder}/`;
  const inside = files.filter(({ path }) => path.startsWith(prefix));
  return inside.map((file) => ({ below: file.path.slice(prefix.length), file }));
}

/** Files and folders whose whole path matches. */
function topMatches(pattern: RegExp, files: readonly ContextFile[]): string[] {
  const paths = new Set<string>();
  for (const { path } of files) {
    for (let at: string = path; at !== "."; at = posix.dirname(at)) if (pattern.test(at)) paths.add(at);
  }
  return [...paths].toSorted();
}

/** Go's filepath.Match, which Docker uses: a wildcard never matches a slash. */
function globPattern(glob: string): RegExp {
  const text = glob.replaceAll(
    /\\(.)|\*|\?|\[(\^?)([^\]]+)\]|[.+^${}()|[\]\\]/g,
    (token, escaped?: string, not?: string, set?: string) => {
      if (escaped !== undefined) return RegExp.escape(escaped);
      if (token === "*") return "[^/]*";
      if (token === "?") return "[^/]";
      if (set !== undefined) return `[${not ?? ""}${set.replaceAll("\\", "\\\\")}]`;
      return `\\${token}`;
    },
  );
  return new RegExp(`^${text}$`);
}
