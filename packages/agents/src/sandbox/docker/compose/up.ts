import { createHash, randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { type ComposeFile, readComposeFile } from "@tracemill/core/harbor/compose-file.ts";
import type { SandboxEnvironment, SandboxLimits, SandboxNetwork } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { makeOwned } from "../../namespace/janitor.ts";
import { callEngine, hasImage } from "../engine.ts";
import { environmentLabel } from "../labels.ts";
import type { LayerMount } from "../layer-volumes.ts";
import { SharedWork } from "../shared-work.ts";
import { type ComposeResult, runCompose } from "./docker-cli.ts";
import { type HarborPlaces, harborVariables, withoutLogMounts } from "./harbor-names.ts";
import { hardened } from "./harden.ts";
import { type ComposeProject, checkProject } from "./project.ts";
import { removeProject } from "./remove-project.ts";

export interface ComposeOptions {
  docker: Docker;
  /** Where the project's files are unpacked, in a folder of their own that `close` removes: see `removeAbandoned`. */
  dir: string;
  environment: SandboxEnvironment & { compose: string };
  /** The image of the task's Dockerfile or `docker_image`, for the service `main`. */
  builtImage?: string | undefined;
  limits: SandboxLimits;
  network: SandboxNetwork;
  /** Volumes of the engine that `main` sees, read-only. */
  layers: readonly LayerMount[];
  /** Put on every container, network and volume. */
  labels: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

export interface ComposedSandbox {
  /** The container of the service `main`. */
  containerId: string;
  /** Ends all services and removes what they had. Safe to call twice. */
  close(): Promise<void>;
}

/** Starting and waiting for health; images are built before. */
const upMs = 300_000;
const configMs = 30_000;
const shownLog = 2_000;

/**
 * Starts the services of a task's compose file, whose service `main` is the sandbox, as Harbor does: `main` gets the
 * image of the task's Dockerfile and sleeps, unless the file says otherwise, and all are waited for until they are up
 * and healthy.
 * @throws TracemillError `sandbox-unavailable` (no compose plugin), `invalid-task`, `unsupported` (a key that would
 * leave the sandbox), `sandbox-failed` (a build or a start that fails), `cancelled`.
 */
export async function composeUp(options: ComposeOptions): Promise<ComposedSandbox> {
  const { docker } = options;
  const file = withMain(readComposeFile(options.environment.compose), options);
  const name = `tracemill-${randomBytes(6).toString("hex")}`;
  const dir = join(options.dir, name);
  makeOwned(dir);
  const close = async (): Promise<void> => {
    await removeProject(docker, name);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const context = join(dir, "context");
    await unpack(options.environment.files, context);
    const started = { ...options, name, dir, context };
    const project = await resolved(file, started);
    await start(project, started);
    return { containerId: await mainOf(docker, name), close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Started extends ComposeOptions {
  name: string;
  dir: string;
  context: string;
}

function withMain(file: ComposeFile, { environment, builtImage }: ComposeOptions): ComposeFile {
  const main = file.services.main ?? {};
  // A `docker_image` gives way to the file, a Dockerfile does not.
  const named = environment.dockerfile === undefined ? (main.image ?? builtImage) : builtImage;
  const image = main.build == null ? named : main.image;
  const sleeping = { command: ["sh", "-c", "sleep infinity"], ...main };
  const workdir = environment.workdir === undefined ? {} : { working_dir: environment.workdir };
  const complete = { ...sleeping, ...workdir, ...(image === undefined ? {} : { image }) };
  return { ...file, services: { ...file.services, main: complete } };
}

async function unpack(files: SandboxEnvironment["files"], context: string): Promise<void> {
  await mkdir(context);
  for (const { path, content, mode } of files) {
    if (path.split("/").includes(".."))
      throw new TracemillError("invalid-task", `environment/${path}: leaves the folder`);
    const target = join(context, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { mode: mode & 0o777 });
  }
}

/** The project in its long form, with variables filled in, checked. */
async function resolved(file: ComposeFile, started: Started): Promise<ComposeProject> {
  const { environment, context, dir } = started;
  const written = join(dir, "task.json");
  await writeFile(written, JSON.stringify(file));
  const result = await compose(started, written, ["config", "--format", "json"], configMs);
  if (result.exitCode !== 0) throw new TracemillError("invalid-task", `docker-compose.yaml: ${said(result)}`);
  const project = checkProject(withoutLogMounts(JSON.parse(result.stdout), placesOf(started).logs), context);
  const { main } = project.services;
  if (main !== undefined) main.environment = { ...main.environment, ...escaped(environment.env) };
  return project;
}

/** The project will be read for variables once more. */
function escaped(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value.replaceAll("$", "$$$$")]),
  );
}

async function start(project: ComposeProject, started: Started): Promise<void> {
  const { docker, environment, labels, layers, limits, network, name, dir } = started;
  const hash = hashOf(environment);
  const tagOf = (service: string) => `tracemill/compose:${hash}-${service.toLowerCase()}`;
  const imageLabels = { [environmentLabel]: hash };
  const isolated = network !== "host";
  const final = hardened(project, { name, labels, imageLabels, limits, layers, isolated, tagOf });
  const path = join(dir, "compose.json");
  await writeFile(path, JSON.stringify(final));
  const built = Object.keys(project.services).filter((service) => project.services[service]?.build != null);
  for (const service of built) {
    const key = `${tagOf(service)} ${environment.buildTimeoutSec}`;
    await building.do(key, () => build(docker, tagOf(service), service, path, started), started.signal);
  }
  const result = await compose(
    started,
    path,
    ["up", "--detach", "--wait", "--quiet-pull", "--no-build"],
    upMs,
  );
  if (result.exitCode === 0) return;
  const printed = await compose(started, path, ["logs", "--no-color", "--tail", "20"], configMs);
  const error = failed("the services of docker-compose.yaml do not come up", result, upMs);
  throw new TracemillError(error.code, `${error.message}\n${printed.stdout.slice(-shownLog)}`.trim(), error);
}

const building = new SharedWork<void>();

async function build(
  docker: Docker,
  tag: string,
  service: string,
  path: string,
  started: Started,
): Promise<void> {
  if (await hasImage(docker, tag)) return;
  const limitMs = started.environment.buildTimeoutSec * 1_000;
  const result = await compose(started, path, ["build", service], limitMs);
  if (result.exitCode !== 0) throw failed(`docker-compose.yaml: building ${service}`, result, limitMs);
}

function compose(started: Started, file: string, args: readonly string[], timeoutMs: number) {
  const { docker, name, context, environment, signal } = started;
  const place = ["--project-name", name, "--project-directory", context, "--file", file];
  const env = { ...environment.env, ...harborVariables(placesOf(started)) };
  return runCompose({ docker, args: [...place, ...args], env, timeoutMs, signal });
}

function placesOf({ builtImage, environment, context, limits, dir }: Started): HarborPlaces {
  const { cpus, memoryBytes } = limits;
  return { context, logs: join(dir, "logs"), builtImage, image: environment.image, cpus, memoryBytes };
}

function failed(what: string, result: ComposeResult, limitMs: number): TracemillError {
  const late = `takes longer than ${Math.ceil(limitMs / 1_000)} s`;
  return new TracemillError(
    "sandbox-failed",
    `${what}: ${result.exitCode === undefined ? late : said(result)}`,
    {
      context: { exitCode: result.exitCode },
    },
  );
}

function said({ stderr, exitCode }: ComposeResult): string {
  return stderr === "" ? `docker compose ends with ${exitCode}` : stderr;
}

async function mainOf(docker: Docker, name: string): Promise<string> {
  const label = [`com.docker.compose.project=${name}`, "com.docker.compose.service=main"];
  const [main] = await callEngine("looking for the service main", (abortSignal) =>
    docker.listContainers({ filters: { label }, abortSignal }),
  );
  if (main !== undefined) return main.Id;
  throw new TracemillError("sandbox-failed", "docker-compose.yaml: the service main has ended; let it sleep");
}

/** Of all that goes into the images of its services. */
function hashOf({ files, compose }: ComposeOptions["environment"]): string {
  const hash = createHash("sha256").update(JSON.stringify(compose));
  for (const { path, content, mode } of files) {
    hash.update(JSON.stringify([path, mode, content.length])).update(content);
  }
  return hash.digest("hex").slice(0, 24);
}
