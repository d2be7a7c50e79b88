import { isAbsolute, relative } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import * as z from "zod";

/** What only the service itself sees. */
const own = z.unknown().optional();
const None = z.union([z.literal(false), z.null(), z.tuple([])]).optional();
const ByteCount = z.coerce.number().optional();

const Build = z.strictObject({
  context: z.string(),
  dockerfile: z.string().optional(),
  dockerfile_inline: own,
  args: own,
  target: own,
  labels: own,
  no_cache: own,
  pull: own,
  platforms: own,
  shm_size: own,
  network: z.enum(["default", "none"]).optional(),
});

const Mount = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("volume"), source: own, target: own, read_only: own, volume: own }),
  z.strictObject({ type: z.literal("tmpfs"), target: own, read_only: own, tmpfs: own }),
  z.strictObject({
    type: z.literal("bind"),
    source: z.string(),
    target: own,
    read_only: z.boolean().default(false),
    bind: z.strictObject({ create_host_path: own }).optional(),
  }),
]);

const Resources = z.strictObject({
  limits: z.strictObject({ memory: ByteCount, cpus: ByteCount, pids: ByteCount }).optional(),
  reservations: z.strictObject({ memory: own, cpus: own }).optional(),
});

/**
 * The keys that a service of a task may have; every other is refused by name. Not among them: what gives power over
 * the machine (`privileged`, `cap_add`, `devices`, `pid: host` …), and what runs programs outside (`provider`).
 */
const Service = z.strictObject({
  ...{ image: z.string().optional(), build: Build.nullish(), platform: own, pull_policy: own },
  ...{ command: own, entrypoint: own, environment: z.record(z.string(), z.unknown()).nullish() },
  ...{ working_dir: own, user: own, group_add: own, hostname: own, domainname: own, init: own },
  ...{ stdin_open: own, tty: own, read_only: own, tmpfs: own, shm_size: own, ulimits: own, cap_drop: own },
  ...{ stop_signal: own, stop_grace_period: own, healthcheck: own, depends_on: own, labels: own },
  ...{ links: own, expose: own, networks: own, extra_hosts: own, dns: own, dns_search: own, dns_opt: own },
  network_mode: z.union([z.literal("none"), z.templateLiteral(["service:", z.string()])]).optional(),
  volumes: z.array(Mount).nullish(),
  configs: own,
  secrets: own,
  ...{
    mem_limit: ByteCount,
    memswap_limit: own,
    mem_reservation: own,
    cpus: ByteCount,
    pids_limit: ByteCount,
  },
  cpu_shares: own,
  deploy: z.looseObject({ resources: Resources.optional() }).nullish(),
  ...{ privileged: None, cap_add: None, devices: None },
  ...{ ports: own, container_name: own, restart: own, logging: own, profiles: own, develop: own, scale: own },
  ...{ attach: own, annotations: own },
});

const Network = z.strictObject({
  ...{
    name: own,
    driver: z.literal("bridge").optional(),
    ipam: z.strictObject({}).nullish(),
    external: None,
  },
  ...{ internal: z.boolean().optional(), attachable: own, labels: own, enable_ipv4: own, enable_ipv6: None },
});

const Volume = z.strictObject({
  ...{ name: own, driver: z.literal("local").optional(), labels: own, external: None },
});

const FileSource = z.strictObject({
  ...{ name: own, file: z.string().optional(), content: own, external: None },
});

const Project = z.looseObject({
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), Network.nullable()).default({}),
  volumes: z.record(z.string(), Volume.nullable()).default({}),
  configs: z.record(z.string(), FileSource).default({}),
  secrets: z.record(z.string(), FileSource).default({}),
});

/** A compose project in its long form, as `docker compose config` writes it, with nothing in it that leaves the sandbox. */
export type ComposeProject = z.infer<typeof Project>;
export type ComposeService = z.infer<typeof Service>;

/**
 * Checks a project in its long form: all that may leave the sandbox is refused, by the name of its key. Files and
 * folders of the machine may only be those of `contextDir`, and those cannot be written.
 * @throws TracemillError `unsupported`.
 */
export function checkProject(project: unknown, contextDir: string): ComposeProject {
  const parsed = Project.safeParse(withoutExtensions(project));
  if (!parsed.success) throw refusedBy(parsed.error);
  const { services, configs, secrets } = parsed.data;
  const isInside = (path: string) => isBelow(path, contextDir);
  for (const [name, service] of Object.entries(services)) checkService(`services.${name}`, service, isInside);
  for (const [kind, sources] of Object.entries({ configs, secrets })) {
    for (const [name, { file }] of Object.entries(sources)) {
      if (file !== undefined && !isInside(file)) throw refused(`${kind}.${name}.file`, outside);
    }
  }
  return parsed.data;
}

const outside = "a file outside the task's environment folder";

function checkService(key: string, service: ComposeService, isInside: (path: string) => boolean): void {
  const { build, volumes } = service;
  if (build != null && !isInside(build.context)) throw refused(`${key}.build.context`, outside);
  if (build?.dockerfile !== undefined && leaves(build.dockerfile))
    throw refused(`${key}.build.dockerfile`, outside);
  for (const [index, mount] of (volumes ?? []).entries()) {
    if (mount.type !== "bind") continue;
    if (!isInside(mount.source)) throw refused(`${key}.volumes[${index}]`, `${outside} (${mount.source})`);
    // A service that can write there could put a link in another's way, for the engine to follow.
    if (!mount.read_only)
      throw refused(`${key}.volumes[${index}]`, "make it read-only (`:ro`), or a named volume");
  }
}

function isBelow(path: string, dir: string): boolean {
  return isAbsolute(path) && !leaves(relative(dir, path));
}

/** Whether a path leads out of the folder that it is relative to. */
function leaves(path: string): boolean {
  return isAbsolute(path) || path.split("/").includes("..");
}

/** `x-…`, which compose itself leaves out of account. */
function withoutExtensions(value: unknown): unknown {
  const parsed = z.looseObject({ services: z.record(z.string(), z.looseObject({})) }).safeParse(value);
  if (!parsed.success) return value;
  const clean = (object: object) =>
    Object.fromEntries(Object.entries(object).filter(([key]) => !key.startsWith("x-")));
  const services = Object.entries(parsed.data.services).map(([name, service]) => [name, clean(service)]);
  return { ...clean(parsed.data), services: Object.fromEntries(services) };
}

function refusedBy(error: z.ZodError): TracemillError {
  const [issue] = error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
  const key = [...(issue?.path ?? []), ...unknown].map(String).join(".");
  return refused(key, unknown.length > 0 ? "no service of a sandbox may have it" : (issue?.message ?? ""));
}

function refused(key: string, why: string): TracemillError {
  return new TracemillError("unsupported", `docker-compose.yaml: ${key} is refused: ${why}`);
}
