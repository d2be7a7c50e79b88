import * as z from "zod";
import { allowedHost } from "./allowed-hosts.ts";

/**
 * `task.toml` of a Harbor task, schema version 1.4. Keys and defaults are Harbor's; a key that nobody set is
 * null where Harbor says null. Unknown keys are accepted and left out. Older spellings are brought up to date
 * by `parseTaskConfig` before this schema sees them.
 */

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]*\/[a-zA-Z0-9][a-zA-Z0-9._-]*$/;
const SERVICE = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const TOPOLOGY = /^[1-9]\d*(x[1-9]\d*)+$/;
const FORBIDDEN_IN_STEP = /[<>:"/\\|?*]|\p{Cc}/u;
const DEVICE_NAME = /^(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9¹²³])$/i;

const seconds = z.number().nonnegative();
const text = z.string().nullable().default(null);
const strings = z.array(z.string()).default([]);
const table = z.record(z.string(), z.string()).default({});
/** User name or uid. */
const user = z.union([z.string(), z.number().int()]).nullable().default(null);
const service = z.string().trim().regex(SERVICE, "a Compose service name: letters, digits, `-`, `_`, `.`");

export const NetworkMode = z.enum(["no-network", "public", "allowlist"]);
export type NetworkMode = z.infer<typeof NetworkMode>;

const allowedHosts = z
  .array(
    z.string().transform((entry, context) => {
      const result = allowedHost(entry);
      if ("host" in result) return result.host;
      context.addIssue({ code: "custom", message: result.problem });
      return z.NEVER;
    }),
  )
  .nullable()
  .default(null);

interface NetworkPolicy {
  network_mode: NetworkMode | null;
  allowed_hosts: string[] | null;
}

function checkNetwork({ network_mode, allowed_hosts }: NetworkPolicy, context: z.RefinementCtx): void {
  const hasHosts = network_mode === null ? allowed_hosts !== null : (allowed_hosts ?? []).length > 0;
  if (!hasHosts || network_mode === "allowlist") return;
  context.addIssue({
    code: "custom",
    path: ["allowed_hosts"],
    message: 'only goes with network_mode = "allowlist"',
  });
}

const phaseNetwork = { network_mode: NetworkMode.nullable().default(null), allowed_hosts: allowedHosts };

const Healthcheck = z.object({
  command: z.string(),
  interval_sec: seconds.default(5),
  timeout_sec: seconds.default(30),
  start_period_sec: seconds.default(0),
  start_interval_sec: seconds.default(5),
  retries: z.number().int().default(3),
});

const McpServer = z
  .object({
    name: z.string(),
    transport: z.enum(["stdio", "sse", "streamable-http"]).default("sse"),
    url: text,
    command: text,
    args: strings,
    headers: table,
  })
  .superRefine(({ transport, url, command }, context) => {
    const [key, value] = transport === "stdio" ? ["command", command] : ["url", url];
    if (value) return;
    context.addIssue({ code: "custom", path: [key], message: `needed for transport "${transport}"` });
  });

const Environment = z
  .object({
    network_mode: NetworkMode.default("public"),
    allowed_hosts: allowedHosts,
    build_timeout_sec: seconds.default(600),
    docker_image: text,
    os: z.enum(["linux", "windows"]).default("linux"),
    cpus: z.number().nullable().default(null),
    memory_mb: z.number().int().nullable().default(null),
    storage_mb: z.number().int().nullable().default(null),
    gpus: z.number().int().nullable().default(null),
    gpu_types: z.array(z.string()).nullable().default(null),
    tpu: z
      .object({
        type: z.string().min(1),
        topology: z.string().trim().regex(TOPOLOGY, "dimensions such as 2x4 or 2x2x1"),
      })
      .nullable()
      .default(null),
    mcp_servers: z.array(McpServer).default([]),
    /** Values may hold `${VAR}` and `${VAR:-default}`. */
    env: table,
    skills_dir: text,
    healthcheck: Healthcheck.nullable().default(null),
    workdir: text,
  })
  .superRefine(checkNetwork);

const Agent = z
  .object({
    ...phaseNetwork,
    /** Absent: no limit. */
    timeout_sec: seconds.nullable().default(null),
    user,
  })
  .superRefine(checkNetwork);

const Collect = z.object({
  command: z.string(),
  service: service.default("main"),
  timeout_sec: seconds.default(60),
  user,
});

const Verifier = z
  .object({
    ...phaseNetwork,
    timeout_sec: seconds.default(600),
    env: table,
    user,
    /** Absent: `separate` when there is a `[verifier.environment]`, else `shared`. */
    environment_mode: z.enum(["shared", "separate"]).nullable().default(null),
    environment: Environment.nullable().default(null),
    collect: z.array(Collect).default([]),
  })
  .superRefine(checkNetwork)
  .refine(({ environment_mode, environment }) => environment_mode !== "shared" || environment === null, {
    path: ["environment_mode"],
    message: '"shared" does not go with a [verifier.environment]; leave one of the two out',
  });

const Artifact = z.object({
  source: z.string().refine((path) => !path.split("/").includes(".."), "a path without `..`"),
  destination: z
    .string()
    .refine(isSafeDestination, "a relative path with forward slashes, without `..`, not manifest.json")
    .transform((path) => path || null)
    .nullable()
    .default(null),
  exclude: strings,
  service: service.nullable().default(null),
});
const artifacts = z.array(z.union([z.string(), Artifact])).default([]);

function isSafeDestination(path: string): boolean {
  const leads = path.startsWith("/") || path.includes("\\") || path.split("/").includes("..");
  return !leads && path.replace(/\/+$/, "") !== "manifest.json";
}

const Step = z.object({
  name: z.string().refine(isPortableName, "a folder name that every system allows, at most 255 bytes"),
  agent: Agent.default(() => Agent.parse({})),
  verifier: Verifier.default(() => Verifier.parse({})),
  /** A number gates the reward `reward`; a table gates each of its keys. */
  min_reward: z
    .union([z.number(), z.record(z.string(), z.number())])
    .nullable()
    .default(null),
  healthcheck: Healthcheck.nullable().default(null),
  artifacts,
});

function isPortableName(name: string): boolean {
  const stem = name.split(".")[0]?.trimEnd() ?? "";
  const isBad =
    name.trim() === "" || /[. ]$/.test(name) || FORBIDDEN_IN_STEP.test(name) || DEVICE_NAME.test(stem);
  return !isBad && Buffer.byteLength(name) <= 255;
}

export const TaskConfig = z.object({
  schema_version: z.string().default("1.4"),
  task: z
    .object({
      name: z
        .string()
        .regex(NAME, "a name of the form org/name")
        .refine((name) => !name.includes(".."), "a name without `..`"),
      version: z.string().min(1).nullable().default(null),
      description: z.string().default(""),
      authors: z.array(z.object({ name: z.string(), email: text })).default([]),
      keywords: strings,
    })
    .nullable()
    .default(null),
  metadata: z.record(z.string(), z.unknown()).default({}),
  verifier: Verifier.default(() => Verifier.parse({})),
  agent: Agent.default(() => Agent.parse({})),
  environment: Environment.default(() => Environment.parse({})),
  solution: z.object({ env: table }).default({ env: {} }),
  source: text,
  multi_step_reward_strategy: z.enum(["mean", "final"]).nullable().default(null),
  steps: z.array(Step).superRefine(checkStepNames).nullable().default(null),
  artifacts,
});
export type TaskConfig = z.infer<typeof TaskConfig>;

/** Names that differ only in case or Unicode form would share a folder on some systems. */
function checkStepNames(steps: readonly { name: string }[], context: z.RefinementCtx): void {
  const seen = new Map<string, string>();
  for (const [index, { name }] of steps.entries()) {
    const key = name.normalize("NFC").toUpperCase().toLowerCase();
    const other = seen.get(key);
    if (other !== undefined) {
      const message = `"${name}" is the same folder as "${other}" on some systems; rename one`;
      context.addIssue({ code: "custom", path: [index, "name"], message });
    }
    seen.set(key, name);
  }
}
