import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { parseRunSpec, type RunSpec } from "@tracemill/core/run/spec.ts";
import { parse } from "yaml";

/**
 * Reads a run's spec from YAML, JSON, or a TypeScript or JavaScript module that exports `spec` (or has a
 * default export). Task folders are taken relative to the file.
 * @throws TracemillError `invalid-spec`, naming file, field and, for a slip of the hand, the key meant.
 */
export async function readSpecFile(path: string): Promise<RunSpec> {
  const file = resolve(path);
  const value = [".ts", ".mts", ".js", ".mjs"].includes(extname(file))
    ? await readModule(file)
    : await readYaml(file);
  const spec = parseRunSpec(value, path);
  return { ...spec, tasks: spec.tasks.map((place) => resolvePlace(place, dirname(file), path)) };
}

async function readModule(file: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(file).href)) as { spec?: unknown; default?: unknown };
    return module.spec ?? module.default;
  } catch (error) {
    throw new TracemillError("invalid-spec", `${file}: cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readYaml(file: string): Promise<unknown> {
  try {
    return parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new TracemillError("invalid-spec", `${file}: ${messageOf(error)}`, { cause: error });
  }
}

function resolvePlace(place: string, base: string, where: string): string {
  if (place.startsWith("snapshot:")) return place;
  const scheme = /^([a-z]+):/.exec(place)?.[1];
  if (scheme === undefined) return resolve(base, place);
  throw new TracemillError(
    "invalid-spec",
    `${where}: \`tasks\`: ${place}: tasks come from folders and from \`snapshot:NAME\`, not from \`${scheme}:\``,
  );
}
