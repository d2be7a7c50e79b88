import { parse, stringify, TomlError } from "smol-toml";
import { messageOf, TracemillError } from "../errors.ts";
import { parseAs, suggestion } from "../validation.ts";
import { TaskConfig } from "./task-config.ts";

type Table = Record<string, unknown>;

/**
 * Parses the text of a `task.toml`; `where` names the file in errors. Older spellings are understood:
 * `version`, `memory = "2G"`, `storage = "10G"`, `allow_internet`, transport `http`.
 * @throws TracemillError `invalid-task`, naming file, key and what is wanted.
 */
export function parseTaskConfig(toml: string, where: string): TaskConfig {
  return parseAs(TaskConfig, upToDate(parseToml(toml, where), where), where, "invalid-task");
}

/**
 * The keys of a valid `task.toml` that mean nothing, with the known key that each resembles. Harbor passes over
 * them; a slip of the hand (`[enviroment]`) is worth a word.
 */
export function unknownTaskKeys(toml: string, where: string): string[] {
  const raw = upToDate(parseToml(toml, where), where);
  return unknownKeys(raw, parseTaskConfig(toml, where), []);
}

/** Every known key is in the parsed config, if only as null. */
function unknownKeys(raw: unknown, parsed: unknown, path: readonly string[]): string[] {
  if (Array.isArray(raw) && Array.isArray(parsed)) {
    return raw.flatMap((item, index) => unknownKeys(item, parsed[index], [...path, String(index)]));
  }
  if (!isTable(raw) || !isTable(parsed)) return [];
  return Object.entries(raw).flatMap(([key, value]) => {
    if (Object.hasOwn(parsed, key)) return unknownKeys(value, parsed[key], [...path, key]);
    const near = suggestion(key, Object.keys(parsed));
    const hint = near === undefined ? "it means nothing there" : `did you mean \`${near}\`?`;
    return [`unknown key \`${[...path, key].join(".")}\` (${hint})`];
  });
}

function parseToml(toml: string, where: string): Table {
  try {
    return parse(toml);
  } catch (error) {
    const place = error instanceof TomlError ? `, line ${error.line}, column ${error.column}` : "";
    const problem = messageOf(error).split("\n")[0];
    throw new TracemillError("invalid-task", `${where}${place}: not valid TOML: ${problem}`, {
      cause: error,
    });
  }
}

/** Writes a config as TOML that Harbor and `parseTaskConfig` read back as the same config. */
export function formatTaskConfig(config: TaskConfig): string {
  const { schema_version, source, multi_step_reward_strategy, artifacts, task, steps, ...sections } = config;
  const ordered = { schema_version, source, multi_step_reward_strategy, artifacts, task, steps, ...sections };
  return `${stringify(withoutNulls(ordered)).trim()}\n`;
}

/** TOML has no null; a key that is absent says the same. */
function withoutNulls(value: Table): Table {
  const entries = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNullsInside(inner)]));
}

function withoutNullsInside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNullsInside);
  return isTable(value) ? withoutNulls(value) : value;
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function upToDate(raw: Table, where: string): Table {
  const { version, ...rest } = raw;
  const result: Table = version === undefined ? rest : { schema_version: version, ...rest };
  if (isTable(raw.environment)) {
    result.environment = environmentUpToDate(raw.environment, `${where}: \`environment`);
  }
  if (isTable(raw.verifier)) result.verifier = verifierUpToDate(raw.verifier, `${where}: \`verifier`);
  if (Array.isArray(raw.steps)) {
    result.steps = raw.steps.map((step: unknown, index) =>
      isTable(step) && isTable(step.verifier)
        ? { ...step, verifier: verifierUpToDate(step.verifier, `${where}: \`steps.${index}.verifier`) }
        : step,
    );
  }
  return result;
}

function verifierUpToDate(verifier: Table, where: string): Table {
  const { environment } = verifier;
  if (!isTable(environment)) return verifier;
  return { ...verifier, environment: environmentUpToDate(environment, `${where}.environment`) };
}

function environmentUpToDate(environment: Table, where: string): Table {
  const { memory, storage, allow_internet, ...result } = environment;
  setSize(result, "memory_mb", memory, `${where}.memory\``);
  setSize(result, "storage_mb", storage, `${where}.storage\``);
  const hasPolicy = result.network_mode !== undefined || result.allowed_hosts !== undefined;
  if (typeof allow_internet === "boolean" && !hasPolicy) {
    result.network_mode = allow_internet ? "public" : "no-network";
  }
  if (typeof result.os === "string") result.os = result.os.toLowerCase();
  if (Array.isArray(result.mcp_servers)) {
    result.mcp_servers = result.mcp_servers.map((server: unknown) =>
      isTable(server) && server.transport === "http" ? { ...server, transport: "streamable-http" } : server,
    );
  }
  return result;
}

const MB_PER_UNIT: Record<string, number> = { G: 1024, M: 1, K: 1 / 1024 };

/** Puts an old size such as "2G" under its new key, in MB. */
function setSize(environment: Table, key: string, size: unknown, where: string): void {
  if (typeof size !== "string") return;
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*([GMK])\s*$/i.exec(size) ?? [];
  const factor = MB_PER_UNIT[unit?.toUpperCase() ?? ""];
  if (amount === undefined || factor === undefined) {
    throw new TracemillError("invalid-task", `${where}: "${size}" is not a size such as "2G" or "512M"`);
  }
  const megabytes = Math.trunc(Number(amount) * factor);
  if (environment[key] !== undefined && environment[key] !== megabytes) {
    const message = `${where}: "${size}" contradicts ${key} = ${String(environment[key])}; keep one of them`;
    throw new TracemillError("invalid-task", message);
  }
  environment[key] = megabytes;
}
