import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { agentRegistry } from "@tracemill/agents/registry.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { type ModelFlags, resolveRoles } from "@tracemill/core/run/roles.ts";
import { parseRunSpec, type RunSpec } from "@tracemill/core/run/spec.ts";
import { parse } from "yaml";
import { choiceOnAws, type SandboxChoice } from "./sandbox-choice.ts";

/**
 * Reads a run's spec from YAML, JSON, or a TypeScript or JavaScript module that exports `spec` (or has a
 * default export). Task folders are taken relative to the file.
 * @param choice where commands run when the spec does not say, or is not to say.
 * @param models those of the command line, which go before the spec's.
 * @throws TracemillError `invalid-spec`, naming file, field and, for a slip of the hand, the key meant.
 */
export async function readSpecFile(
  path: string,
  choice: SandboxChoice = choiceOnAws(),
  models: ModelFlags = {},
): Promise<RunSpec> {
  const file = resolve(path);
  const value = [".ts", ".mts", ".js", ".mjs"].includes(extname(file))
    ? await readModule(file)
    : await readYaml(file);
  const asked = choice.asked === undefined ? value : withSandbox(value, choice.asked);
  const sandbox = saysSandbox(asked) ? "namespace" : await choice.otherwise();
  const spec = resolveRoles(parseRunSpec(asked, path, { sandbox }), agentRegistry(), models);
  return { ...spec, tasks: spec.tasks.map((place) => resolvePlace(place, dirname(file), path)) };
}

function withSandbox(value: unknown, sandbox: string): unknown {
  return typeof value === "object" && value !== null ? { ...value, sandbox } : value;
}

function saysSandbox(value: unknown): boolean {
  return typeof value === "object" && value !== null && "sandbox" in value && value.sandbox !== undefined;
}

async function readModule(file: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(file).href)) as { spec?: unknown; default?: unknown };
    const spec = module.spec ?? module.default;
    if (spec !== undefined) return spec;
  } catch (error) {
    throw new TracemillError("invalid-spec", `${file}: cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
  throw new TracemillError("invalid-spec", `${file}: exports no spec; write \`export const spec = { … }\``);
}

async function readYaml(file: string): Promise<unknown> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new TracemillError("invalid-spec", `${file}: ${messageOf(error).trim()}`, { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new TracemillError(
    "invalid-spec",
    `${file}: holds no spec; it wants keys such as \`name\`, \`tasks\` and \`agents\` (\`tracemill run --help\` shows one)`,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const words =
      code === "ENOENT"
        ? "not there; name a spec file"
        : code === "EISDIR"
          ? "is a folder; name a spec file (for a folder of tasks, write a spec with `tasks: [FOLDER]`)"
          : messageOf(error);
    throw new TracemillError("invalid-spec", `${file}: ${words}`, { cause: error });
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
