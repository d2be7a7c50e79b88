import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RegistryLogin } from "@tracemill/aws/control/registry-login.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { Docker } from "./docker.ts";
import type { ImageSource } from "./image-source.ts";
import { writeContext } from "./write-context.ts";

export interface BuildRequest {
  environment: string;
  source: ImageSource;
  /** What the image is to be called: `<registry>/<name>:<tag>`. */
  reference: string;
  /** The image of a task that names none and has no Dockerfile. */
  bareImage: string;
  /** As Docker writes it: `linux/arm64`. */
  platform: string;
}

export interface BuildDeps {
  docker: Docker;
  login(): Promise<RegistryLogin>;
  clock: Clock;
  /** Build contexts go below it, and are gone at the end. */
  workDir: string;
}

/** A push is resumed by layer; a registry that is busy for longer than that is the next attempt's matter. */
const pushPausesMs = [2_000, 10_000];

/**
 * Builds an environment's image and pushes it.
 * @throws TracemillError `sandbox-failed` with the failing line, `timeout`, `invalid-archive`, `cancelled`.
 */
export async function buildImage(request: BuildRequest, deps: BuildDeps): Promise<void> {
  await mkdir(deps.workDir, { recursive: true });
  const folder = await mkdtemp(join(deps.workDir, "image-"));
  const configDir = join(folder, "docker");
  try {
    await login(request, configDir, deps);
    const from = await baseOf(request, folder, deps);
    await build({ ...request, from, configDir }, deps);
    await push(request, configDir, deps);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function login({ reference }: BuildRequest, configDir: string, deps: BuildDeps): Promise<void> {
  const { username, password } = await deps.login();
  const [registry = ""] = reference.split("/", 1);
  const args = ["login", "--username", username, "--password-stdin", registry];
  await deps.docker({ doing: `logging in to ${registry}`, args, stdin: password, configDir });
}

/** What the image is made from: a reference, or the build of the task's Dockerfile. */
async function baseOf(
  { environment, source, bareImage, platform }: BuildRequest,
  folder: string,
  { docker }: BuildDeps,
): Promise<string> {
  if (source.kind === "bare") return bareImage;
  if (source.kind === "image") return source.image;
  const context = join(folder, "context");
  await mkdir(context);
  await writeContext(context, source.context);
  const tag = `tracemill-built:${environment}`;
  await docker({
    doing: `building environment/Dockerfile of task ${source.task}`,
    args: ["build", "--platform", platform, "--tag", tag, context],
    configDir: join(folder, "docker"),
    timeoutMs: source.buildTimeoutSec * 1_000,
  });
  return tag;
}

/**
 * The image under its own name. Batch has no way to set a container's entry point, and one of the image's own would
 * swallow the command with which its container waits for work.
 */
async function build(
  { source, reference, platform, from, configDir }: BuildRequest & { from: string; configDir: string },
  { docker }: BuildDeps,
): Promise<void> {
  await docker({
    doing: `the image of task ${source.task} (FROM ${from})`,
    args: ["build", "--platform", platform, "--tag", reference, "-"],
    stdin: `FROM ${from}\nENTRYPOINT []\nCMD []\n`,
    configDir,
    timeoutMs: source.buildTimeoutSec * 1_000,
  });
}

async function push(
  { reference }: BuildRequest,
  configDir: string,
  { docker, clock }: BuildDeps,
): Promise<void> {
  const once = () => docker({ doing: `pushing ${reference}`, args: ["push", reference], configDir });
  for (const pauseMs of pushPausesMs) {
    try {
      return await once();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      await clock.sleep(pauseMs);
    }
  }
  await once();
}

function isRetryable(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === true;
}
