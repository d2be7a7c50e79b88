import { createHash } from "node:crypto";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxEnvironment, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { defaultEnv } from "../dockerfile/plan.ts";
import { buildImage } from "./build.ts";
import { buildFiles, dockerfileName } from "./build-context.ts";
import { callEngine, engineWords, hasStatus } from "./engine.ts";
import { removeImage } from "./janitor.ts";
import { environmentLabel } from "./labels.ts";
import { SharedWork } from "./shared-work.ts";

/** An environment, built and ready to be started any number of times. */
export interface EnvironmentImage {
  /** What containers are made of: the image's id. */
  id: string;
  /** Hash of all that it was built from. */
  hash: string;
  workdir: string;
  env: Record<string, string>;
  /** What it starts from, in words. */
  base: string;
}

export interface ImageOptions {
  docker: Docker;
  /** For tasks with neither a Dockerfile nor an image. It has to have bash. */
  baseImage: string;
  /** Where build logs are kept, `HASH.log` each. */
  logDir: string;
  log: (message: string) => void;
}

const defaultPath = defaultEnv.PATH ?? "";

/** Counts up when images are finished differently, so that old ones are not used again. */
const version = 1;

/** Folders that tasks and their verification count on, beside the working directory. */
const usualFolders = ["/logs/agent", "/logs/artifacts", "/logs/verifier"];

type Wanted = Pick<SandboxSpec, "environment" | "label" | "signal">;

/** Images of environments: each is made once in an engine, and found by the hash of its content from then on. */
export class Images {
  readonly #options: ImageOptions;
  readonly #making = new SharedWork<EnvironmentImage>();

  constructor(options: ImageOptions) {
    this.#options = options;
  }

  /**
   * @throws TracemillError `sandbox-failed` (a build or a pull that fails), `invalid-task` (an image that does not exist,
   * a Dockerfile that cannot work).
   */
  async prepare(spec: Wanted): Promise<EnvironmentImage> {
    const source = sourceOf(spec.environment, this.#options.baseImage);
    // Looked for each time: somebody may have removed it (`tracemill clean --images`).
    const key = `${source.hash} ${spec.environment.buildTimeoutSec}`;
    return this.#making.do(key, () => this.#find(source, spec), spec.signal);
  }

  async #find(source: Source, spec: Wanted): Promise<EnvironmentImage> {
    const tag = `tracemill/env:${source.hash.slice(0, 24)}`;
    const found = await this.#inspect(tag);
    const info = found ?? (await this.#make(source, tag, spec));
    const { Env: env, WorkingDir: workdir } = info.Config;
    return {
      id: info.Id,
      hash: source.hash,
      workdir: workdir || "/",
      env: { PATH: defaultPath, ...variablesOf(env ?? []) },
      base: source.image ?? `the task's Dockerfile (${source.from})`,
    };
  }

  async #make(source: Source, tag: string, spec: Wanted): Promise<Docker.ImageInspectInfo> {
    const { docker } = this.#options;
    const made = source.dockerfile === undefined ? undefined : await this.#build(source, spec);
    const from = made ?? (await this.#present(source.image ?? "", spec)).Id;
    const { Config } = await callEngine("looking at an image", () => docker.getImage(from).inspect());
    // Another process may have been faster: its image is as good as ours.
    const other = await this.#inspect(tag);
    if (other !== undefined) {
      if (made !== undefined) await removeImage(docker, made);
      return other;
    }
    await this.#finish(source, { from, workdir: Config.WorkingDir || undefined, tag }, spec);
    return callEngine("looking at an image", () => docker.getImage(tag).inspect());
  }

  async #build({ hash, dockerfile = "" }: Source, { environment, label, signal }: Wanted): Promise<string> {
    this.#options.log(`${label}: building the image of its Dockerfile`);
    return buildImage(this.#options.docker, {
      dockerfile,
      files: buildFiles(environment, dockerfile),
      labels: {},
      logFile: this.#logFile(hash),
      timeoutSec: environment.buildTimeoutSec,
      signal,
    });
  }

  /**
   * Adds what every sandbox has, so that it is no change of it. WORKDIR makes folders that are missing, and leaves
   * others as they are.
   */
  async #finish(
    { hash, workdir: wanted }: Source,
    { from, workdir, tag }: { from: string; workdir: string | undefined; tag: string },
    { environment, signal }: Wanted,
  ): Promise<void> {
    const last = wanted ?? workdir ?? "/";
    const folders = [...usualFolders, last].map((folder) => `WORKDIR ${JSON.stringify(folder).slice(1, -1)}`);
    const dockerfile = `FROM ${from}\nUSER root\n${folders.join("\n")}\n`;
    await buildImage(this.#options.docker, {
      dockerfile,
      files: [{ path: dockerfileName, content: Buffer.from(dockerfile), mode: 0o644 }],
      labels: { [environmentLabel]: hash },
      tag,
      logFile: this.#logFile(`${hash}-folders`),
      timeoutSec: environment.buildTimeoutSec,
      signal,
    });
  }

  /** Pulls an image unless it is there. */
  async #present(image: string, { environment, label, signal }: Wanted): Promise<Docker.ImageInspectInfo> {
    const found = await this.#inspect(image);
    if (found !== undefined) return found;
    this.#options.log(`${label}: pulling ${image}`);
    await this.#pull(image, { ms: environment.buildTimeoutSec * 1_000, signal });
    return callEngine("looking at an image", () => this.#options.docker.getImage(image).inspect());
  }

  async #pull(image: string, bounds: { ms: number; signal: AbortSignal | undefined }): Promise<void> {
    const { docker } = this.#options;
    try {
      await callEngine(
        `pulling ${image}`,
        async (abortSignal) => {
          const progress = await docker.pull(image, { abortSignal });
          await new Promise<void>((resolve, reject) =>
            docker.modem.followProgress(progress, (error) => (error === null ? resolve() : reject(error))),
          );
        },
        bounds,
      );
    } catch (error) {
      bounds.signal?.throwIfAborted();
      throw cannotPull(image, error);
    }
  }

  async #inspect(image: string): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await callEngine(`looking for ${image}`, () => this.#options.docker.getImage(image).inspect());
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  #logFile(name: string): string {
    return join(this.#options.logDir, `${name}.log`);
  }
}

/** What an image is made of. Exactly one of `dockerfile` and `image`. */
interface Source {
  hash: string;
  dockerfile?: string;
  /** The Dockerfile's own words. */
  from?: string;
  image?: string;
  /** Absent: what the image says. */
  workdir: string | undefined;
}

/** A Dockerfile goes before an image: an image is what it was built to, elsewhere. */
function sourceOf({ dockerfile, files, image, workdir }: SandboxEnvironment, baseImage: string): Source {
  if (dockerfile === undefined) {
    const used = image ?? baseImage;
    const folder = workdir ?? (image === undefined ? "/app" : undefined);
    return { hash: sha256([version, "image", used, folder ?? null]), image: used, workdir: folder };
  }
  const context = buildFiles({ files }, dockerfile)
    .map(({ path, mode, content }) => [path, mode, createHash("sha256").update(content).digest("hex")])
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  const from = /^\s*FROM\s+(.+)$/im.exec(dockerfile)?.[1]?.trim() ?? "no FROM";
  return { hash: sha256([version, "dockerfile", context, workdir ?? null]), dockerfile, from, workdir };
}

function sha256(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** `NAME=value` lines as the engine has them. */
export function variablesOf(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    env.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]),
  );
}

function cannotPull(image: string, error: unknown): TracemillError {
  const said = engineWords(error);
  const absent = hasStatus(error, 404) || /manifest unknown|does not exist|access denied/.test(said);
  return new TracemillError(
    absent ? "invalid-task" : "sandbox-failed",
    `the image ${image} is not in Docker's engine and cannot be pulled: ${said}; see \`docker_image\` of the task, and for a private one run \`docker pull ${image}\` first`,
    { retryable: !absent, cause: error },
  );
}
