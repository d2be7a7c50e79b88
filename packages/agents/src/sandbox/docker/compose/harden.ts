import type { SandboxLimits } from "@tracemill/core/ports/sandbox.ts";
import type { LayerMount } from "../layer-volumes.ts";
import type { ComposeProject, ComposeService } from "./project.ts";

export interface Hardening {
  /** Name of the project: what compose makes is named after it. */
  name: string;
  /** Put on every container, network and volume. */
  labels: Readonly<Record<string, string>>;
  /** Put on the images that are built. */
  imageLabels: Readonly<Record<string, string>>;
  /** For each service. A service's own limit holds where it is lower. */
  limits: SandboxLimits;
  /** Volumes of the engine that the service `main` sees, read-only. */
  layers: readonly LayerMount[];
  /** Whether the services reach nothing but each other. */
  isolated: boolean;
  /** The tag for the image that a service builds: found under it, it is not built again. */
  tagOf(service: string): string;
}

/**
 * What is started of a checked project: with its own names, so that two at a time do not meet, with limits, and with
 * networks that lead nowhere where the sandbox has none.
 */
export function hardened(project: ComposeProject, hardening: Hardening): Record<string, unknown> {
  const { name, labels, layers, isolated } = hardening;
  const { networks, volumes, configs, secrets } = project;
  const services = Object.entries(project.services).map(([key, service]) => [
    key,
    start(key, service, hardening),
  ]);
  // No address of this machine on the bridge, and no router behind it.
  const nowhere = { internal: true, driver_opts: { "com.docker.network.bridge.inhibit_ipv4": "true" } };
  const named = (entries: object, more: object) =>
    Object.fromEntries(
      Object.entries(entries).map(([key, value]) => [
        key,
        { ...value, name: `${name}_${key}`, labels, ...more },
      ]),
    );
  return {
    name,
    services: Object.fromEntries(services),
    networks: named(networks, isolated ? nowhere : {}),
    volumes: { ...named(volumes, {}), ...Object.fromEntries(layers.map(external)) },
    configs,
    secrets,
  };
}

/** They concern the machine, those who work on the file, or limits that are set anew. */
const leftOut = [
  ...[
    "ports",
    "container_name",
    "restart",
    "logging",
    "profiles",
    "develop",
    "scale",
    "attach",
    "annotations",
  ],
  ...["deploy", "mem_limit", "memswap_limit", "mem_reservation", "cpus", "pids_limit"],
];

function start(key: string, service: ComposeService, hardening: Hardening): Record<string, unknown> {
  const kept = Object.entries(service).filter(([name]) => !leftOut.includes(name));
  return {
    ...Object.fromEntries(kept),
    ...builtAs(key, service, hardening),
    ...limitsOf(service, hardening.limits),
    ...(key === "main" ? mountsOf(service, hardening.layers) : {}),
    labels: hardening.labels,
    security_opt: ["no-new-privileges:true"],
    // What a service prints is kept on this machine, whoever started the engine: enough to see why it failed.
    logging: { driver: "json-file", options: { "max-size": "1m", "max-file": "1" } },
    // Docker's own resolver would ask this machine's on behalf of a service that has no network.
    ...(hardening.isolated ? { dns: ["127.0.0.1"] } : {}),
  };
}

/** Under a key of ours: those of the file are names of the task's. */
function external({ volume }: LayerMount): [string, object] {
  return [volume, { name: volume, external: true }];
}

function mountsOf({ volumes }: ComposeService, layers: readonly LayerMount[]): object {
  if (layers.length === 0) return {};
  const added = layers.map(({ volume, path }) => ({
    type: "volume",
    source: volume,
    target: path,
    read_only: true,
    volume: { nocopy: true },
  }));
  return { volumes: [...(Array.isArray(volumes) ? volumes : []), ...added] };
}

function builtAs(key: string, { build }: ComposeService, { tagOf, imageLabels }: Hardening): object {
  if (build == null) return {};
  return { image: tagOf(key), build: { ...build, labels: { ...objectOf(build.labels), ...imageLabels } } };
}

function limitsOf(service: ComposeService, limits: SandboxLimits): object {
  const own = service.deploy?.resources?.limits;
  const memory = lowest(service.mem_limit, own?.memory, limits.memoryBytes);
  const { fileBytes } = limits;
  return {
    // Swap would let a service have twice its memory.
    ...(memory === undefined ? {} : { mem_limit: String(memory), memswap_limit: String(memory) }),
    ...present("cpus", lowest(service.cpus, own?.cpus, limits.cpus)),
    ...present("pids_limit", lowest(service.pids_limit, own?.pids, limits.pids)),
    ...(fileBytes === undefined ? {} : { ulimits: { ...objectOf(service.ulimits), fsize: fileBytes } }),
  };
}

function lowest(...values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value): value is number => value !== undefined && value > 0);
  return given.length === 0 ? undefined : Math.min(...given);
}

function present(key: string, value: number | undefined): Record<string, number> {
  return value === undefined ? {} : { [key]: value };
}

function objectOf(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
