import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxEnvironment, SandboxFile, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { type ContextFile, contextFiles, matchSource } from "../dockerfile/context.ts";
import { type BuildPlan, type BuildStep, defaultEnv, planBuild } from "../dockerfile/plan.ts";
import { opaqueFolders } from "./changes.ts";
import type { HostBase } from "./host-base.ts";
import { removeFolder } from "./janitor.ts";
import { layersFolder, markUsed } from "./layer-cache.ts";
import { opaqueFile } from "./lower-view.ts";
import { closeFolder, openFolder, openParent } from "./open-folder.ts";
import type { NamespaceSandbox } from "./sandbox.ts";

/** A built environment, ready to be started any number of times. */
export interface Environment {
  /** Topmost first. */
  layers: string[];
  hash: string;
  workdir: string;
  env: Record<string, string>;
  /** What its file system starts from, in words. */
  base: string;
}

/** Starts a sandbox for building, over the layers so far. Its changes lie beside the cache. */
export type OpenForBuild = (
  layers: readonly string[],
  spec: Pick<SandboxSpec, "network" | "limits" | "label" | "signal">,
) => Promise<NamespaceSandbox>;

interface BuildDeps {
  base: HostBase;
  cacheDir: string;
  open: OpenForBuild;
  log: (message: string) => void;
}

/** Output of a failed command that its error shows. */
const shownBytes = 4096;

/** Builds environments, each layer once: a layer's name is the hash of all that went into it. */
export class Environments {
  readonly #deps: BuildDeps;
  readonly #building = new Map<string, Promise<string>>();

  constructor(deps: BuildDeps) {
    this.#deps = deps;
  }

  /** @throws TracemillError `unsupported`, `invalid-task`, `sandbox-failed` (a RUN that fails), `timeout`. */
  async prepare(spec: SandboxSpec): Promise<Environment> {
    const { environment } = spec;
    const plan = planOf(environment);
    const workdir = environment.workdir ?? plan.workdir;
    const steps: BuildStep[] = [...plan.steps, { line: 0, kind: "folder", path: workdir }];
    const files = contextFiles(environment.files);
    let hash = sha256([this.#deps.base.key]);
    const layers: string[] = [];
    const deadline = Date.now() + environment.buildTimeoutSec * 1_000;
    for (const chunk of chunksOf(steps)) {
      const copies = chunk.map((step) => (step.kind === "copy" ? resolveCopy(step, files) : []));
      hash = sha256([hash, chunk.map(meaning), copies.map((copy) => copy.map(fingerprint))]);
      if (isNoWork(chunk)) continue;
      layers.unshift(await this.#layer(hash, layers, { spec, chunk, copies, deadline }));
    }
    const from = plan.from === undefined ? "" : `, in place of ${plan.from}`;
    const env = { ...plan.env, ...environment.env };
    return { layers, hash, workdir, env, base: `host (${this.#deps.base.system})${from}` };
  }

  /** Two trials that want the same layer wait for one build of it. */
  async #layer(hash: string, below: readonly string[], job: BuildJob): Promise<string> {
    const dir = join(layersFolder(this.#deps.cacheDir), hash.slice(0, 24));
    for (;;) {
      if (markUsed(dir)) return dir;
      const other = this.#building.get(dir);
      if (other === undefined) return this.#buildAlone(dir, below, job);
      try {
        return await other;
      } catch (error) {
        // Whoever built it was stopped; that is no reason for us to stop.
        if (isTracemillError(error) && error.code !== "cancelled") throw error;
        job.spec.signal?.throwIfAborted();
      }
    }
  }

  async #buildAlone(dir: string, below: readonly string[], job: BuildJob): Promise<string> {
    const running = this.#build(dir, [...below], job);
    this.#building.set(dir, running);
    try {
      return await running;
    } finally {
      this.#building.delete(dir);
    }
  }

  async #build(dir: string, below: readonly string[], job: BuildJob): Promise<string> {
    const { spec, chunk, copies } = job;
    this.#deps.log(`${spec.label}: building the environment (${describe(chunk)})`);
    const sandbox = await this.#deps.open(below, spec);
    try {
      for (const [index, step] of chunk.entries()) await perform(sandbox, step, copies[index] ?? [], job);
      const opaque = JSON.stringify(await opaqueFolders(sandbox.changes));
      await sandbox.closeInto((upper) => publish(upper, dir, opaque));
    } finally {
      await sandbox.close();
    }
    return dir;
  }
}

interface BuildJob {
  spec: SandboxSpec;
  chunk: readonly BuildStep[];
  /** What each COPY of the chunk copies. */
  copies: readonly CopiedFile[][];
  /** Milliseconds since the epoch. */
  deadline: number;
}

type CopyStep = Extract<BuildStep, { kind: "copy" }>;
type RunStep = Extract<BuildStep, { kind: "run" }>;

interface CopiedFile {
  /** Below the target, when that is a folder. */
  below: string;
  /** It takes the target's own name, unless that is a folder. */
  single: boolean;
  file: ContextFile;
  mode: number;
}

function planOf({
  dockerfile,
  image,
}: SandboxEnvironment): Partial<Pick<BuildPlan, "from">> & Omit<BuildPlan, "from"> {
  if (dockerfile !== undefined) return planBuild(dockerfile);
  if (image === undefined) return { steps: [], workdir: "/app", env: { ...defaultEnv } };
  throw new TracemillError(
    "unsupported",
    `[environment] docker_image = "${image}": a sandbox of namespaces cannot run images; give the task an environment/Dockerfile`,
  );
}

/** A layer ends with each RUN, as in Docker, so that changing a line redoes only what comes after it. */
function chunksOf(steps: readonly BuildStep[]): BuildStep[][] {
  const chunks: BuildStep[][] = [[]];
  for (const step of steps) {
    chunks.at(-1)?.push(step);
    if (step.kind === "run") chunks.push([]);
  }
  return chunks.filter((chunk) => chunk.length > 0);
}

/** `/app` is in every base. */
function isNoWork(chunk: readonly BuildStep[]): boolean {
  return chunk.every((step) => step.kind === "folder" && (step.path === "/app" || step.path === "/"));
}

function resolveCopy(step: CopyStep, files: readonly ContextFile[]): CopiedFile[] {
  return step.sources.flatMap((source) => {
    const { single, files: matched } = matchSource(source, files, `Dockerfile, line ${step.line}`);
    return matched.map(({ below, file }) => ({ below, single, file, mode: step.mode ?? file.mode & 0o777 }));
  });
}

/** What a step does, wherever it stands in the file. */
function meaning(step: BuildStep): unknown {
  if (step.kind !== "run") return { ...step, line: 0 };
  const { command, cwd, env } = step;
  return { command, cwd, env };
}

function fingerprint({ below, single, file, mode }: CopiedFile): unknown[] {
  return [below, single, mode, createHash("sha256").update(file.content).digest("hex")];
}

function sha256(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function describe(chunk: readonly BuildStep[]): string {
  const last = chunk.at(-1);
  return last?.kind === "run" ? `line ${last.line}: RUN ${last.text.slice(0, 80)}` : "files and folders";
}

async function perform(
  sandbox: NamespaceSandbox,
  step: BuildStep,
  copied: readonly CopiedFile[],
  job: BuildJob,
): Promise<void> {
  switch (step.kind) {
    case "folder":
      return makeFolder(sandbox, step.path);
    case "copy":
      return sandbox.writeFiles(targetsOf(sandbox, step, copied));
    case "run":
      return run(sandbox, step, job);
  }
}

function makeFolder(sandbox: NamespaceSandbox, path: string): void {
  const place = openParent(sandbox.root, `${path}/.tracemill`, { links: "follow", create: true });
  if (place !== undefined) closeFolder(place.parent);
}

function* targetsOf(
  sandbox: NamespaceSandbox,
  { target }: CopyStep,
  copied: readonly CopiedFile[],
): Generator<SandboxFile> {
  const isFolder = target.endsWith("/") || isFolderIn(sandbox, target);
  const folder = target.replace(/\/$/, "");
  for (const { below, single, file, mode } of copied) {
    yield { path: single && !isFolder ? target : `${folder}/${below}`, content: file.content, mode };
  }
}

function isFolderIn(sandbox: NamespaceSandbox, path: string): boolean {
  const place = openParent(sandbox.root, path, { links: "follow" });
  if (place === undefined) return false;
  try {
    const folder = place.name === "." ? undefined : openFolder(place.parent, place.name);
    if (folder !== undefined) closeFolder(folder);
    return place.name === "." || folder !== undefined;
  } finally {
    closeFolder(place.parent);
  }
}

async function run(sandbox: NamespaceSandbox, step: RunStep, { spec, deadline }: BuildJob): Promise<void> {
  const { command, cwd, env, line, text } = step;
  const result = await sandbox.exec(command, {
    cwd,
    env,
    timeoutMs: Math.max(1, deadline - Date.now()),
    maxOutputBytes: 2 * shownBytes,
    ...(spec.signal === undefined ? {} : { signal: spec.signal }),
  });
  spec.signal?.throwIfAborted();
  if (result.exitCode === 0) return;
  const tail = `${result.stdout}${result.stderr}`.trim().slice(-shownBytes);
  const how = result.timedOut
    ? `took longer than the ${spec.environment.buildTimeoutSec} s of build_timeout_sec`
    : `exits with ${result.exitCode}`;
  const offline = spec.network === "none" ? " (builds have no network here, as the task asks for none)" : "";
  throw new TracemillError(
    "sandbox-failed",
    `Dockerfile, line ${line}: RUN ${text} ${how}${offline}${tail === "" ? "" : `:\n${tail}`}`,
    { context: { line, exitCode: result.exitCode, timedOut: result.timedOut } },
  );
}

/** Makes a layer of a sandbox's changes. Whoever is first wins; the other's copy says the same. */
function publish(upper: string, dir: string, opaque: string): void {
  writeFileSync(join(upper, opaqueFile), opaque);
  const own = `${dir}.${randomBytes(4).toString("hex")}`;
  mkdirSync(join(dir, ".."), { recursive: true });
  renameSync(upper, own);
  try {
    renameSync(own, dir);
  } catch (error) {
    removeFolder(own);
    rmSync(own, { recursive: true, force: true });
    if (!existsSync(dir)) throw error;
  }
}
