import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type {
  DoctorCheck,
  SandboxDescription,
  SandboxProvider,
  SandboxSpec,
} from "@tracemill/core/ports/sandbox.ts";
import { defaultEnv } from "../dockerfile/plan.ts";
import { checkLayers } from "../layers.ts";
import { allOrNone } from "../network.ts";
import { Box } from "./box.ts";
import { bringsItsTools } from "./busybox.ts";
import { BoxLayers, layersPlace } from "./layers.ts";
import { JobSandbox } from "./sandbox.ts";
import { survey } from "./survey.ts";

export interface JobSandboxOptions {
  /** Where the volumes of the boxes are mounted, each under its number: `/tracemill/boxes`. */
  dir: string;
  /** Where the volume is mounted that all boxes see at `layersAt`. Without it layers are refused. */
  layersDir?: string;
  /** Hash of the environment that the boxes' image was made from. */
  environment: string;
  /**
   * A statically linked busybox that brings its own tools (Debian's package busybox-static). Without it a box's files are listed and copied by tools of
   * its own image, which an agent may break: its attempt then counts for nothing instead of a zero.
   */
  busybox?: string;
  /** How long a box may take to start, in milliseconds. Default 10 minutes: its image may still be pulled. */
  startTimeoutMs?: number;
}

export interface JobSandboxes extends SandboxProvider {
  /** Aborted when the last box is taken: nothing more can be begun in this job. */
  readonly spent: AbortSignal;
}

/** No single file grows larger than this where the spec does not say, so that one command cannot fill the disk. */
const defaultFileBytes = 8 * 1024 ** 3;

const defaultStartTimeoutMs = 600_000;

/** Folders that tasks and their verification count on, beside the working directory. */
const usualFolders = ["/logs/agent", "/logs/artifacts", "/logs/verifier"];

/**
 * Sandboxes that are containers beside the worker's own, in one task of ECS: each of the task's image, and for one
 * attempt only. How they isolate, and what they do not protect from: `docs/sandboxes.md`.
 */
export function jobSandboxes(options: JobSandboxOptions): JobSandboxes {
  const spent = new AbortController();
  const layers = new BoxLayers(options.layersDir);
  let prepared: Promise<Box[]> | undefined;
  const create = async (spec: SandboxSpec): Promise<JobSandbox> => {
    spec.signal?.throwIfAborted();
    assertPossible(spec);
    checkLayers(spec.layers ?? [], spec.environment.workdir ?? "/");
    await layers.lay(spec.layers ?? []);
    prepared ??= prepareBoxes(options);
    const box = takeBox(await prepared, spent);
    try {
      await startOf(box, options, spec.signal);
      const sandbox = await openIn(box, spec, options);
      spec.signal?.throwIfAborted();
      return sandbox;
    } catch (error) {
      await box.close();
      throw error;
    }
  };
  return {
    name: "job",
    spent: spent.signal,
    create,
    doctor: () => checkBoxes(options),
    close: async () => undefined,
  };
}

/** @throws TracemillError `unsupported`. */
function assertPossible({ network, label }: SandboxSpec): void {
  if (network === "host") return;
  throw new TracemillError(
    "unsupported",
    `${label}: wants no network (\`network_mode\` of the task, or \`network: none\` in the spec), and a container of a ` +
      "Fargate task shares the task's network; use `sandbox: namespace`, or let the task have a network",
  );
}

async function prepareBoxes({ dir, busybox }: JobSandboxOptions): Promise<Box[]> {
  const names = boxNames(dir);
  if (busybox !== undefined && !bringsItsTools(busybox)) {
    const message = `${busybox} is not there, or is none that brings its own tools; install the package busybox-static`;
    throw new TracemillError("sandbox-unavailable", message);
  }
  const boxes = await Promise.all(names.map((name) => Box.prepare(name, join(dir, name), busybox)));
  return boxes.filter((box) => box !== undefined);
}

/** @throws TracemillError `sandbox-unavailable` where there are no boxes. */
function boxNames(dir: string): string[] {
  try {
    const names = readdirSync(dir).filter((name) => /^\d{1,2}$/.test(name));
    if (names.length > 0) return names.toSorted((a, b) => Number(a) - Number(b));
  } catch (error) {
    throw noBoxes(dir, error);
  }
  throw noBoxes(dir);
}

function noBoxes(dir: string, cause?: unknown): TracemillError {
  return new TracemillError(
    "sandbox-unavailable",
    `${dir} holds no volumes of boxes: \`sandbox: job\` works in a Batch job of a task image's own definition only`,
    { cause },
  );
}

/** @throws TracemillError `cancelled`: a later job, with fresh boxes, goes on. */
function takeBox(boxes: Box[], spent: AbortController): Box {
  for (;;) {
    const box = boxes.shift();
    if (boxes.length === 0) spent.abort();
    if (box === undefined)
      throw new TracemillError("cancelled", "every box of this job was used; the next job goes on");
    if (box.isAlive) return box;
  }
}

async function startOf(box: Box, { startTimeoutMs }: JobSandboxOptions, signal?: AbortSignal): Promise<void> {
  const ms = startTimeoutMs ?? defaultStartTimeoutMs;
  const gaveUp = Promise.withResolvers<never>();
  const message = `box ${box.name} did not start within ${ms / 1_000} s; its container's log stream may say why`;
  const late = (): void => gaveUp.reject(new TracemillError("sandbox-failed", message, { retryable: true }));
  const timer = setTimeout(late, ms);
  const stop = (): void => gaveUp.reject(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([box.started, gaveUp.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

async function openIn(
  box: Box,
  { environment, limits, network, layers = [] }: SandboxSpec,
  options: JobSandboxOptions,
): Promise<JobSandbox> {
  const hasImage = environment.dockerfile !== undefined || environment.image !== undefined;
  const workdirIn = (cwd: string): string => environment.workdir ?? (hasImage ? cwd : "/app");
  const found = await survey(box, (cwd) => [workdirIn(cwd), ...usualFolders]);
  checkLayers(layers, workdirIn(found.cwd));
  const description: SandboxDescription = {
    sandbox: "job",
    base: environment.image ?? "the image of the task's Dockerfile",
    isolation: ["container", "volume-of-its-own", "rlimits"],
    network: allOrNone(network),
    environment: options.environment,
  };
  return new JobSandbox(box, {
    description,
    workdir: workdirIn(found.cwd),
    env: { ...defaultEnv, ...found.env, ...environment.env },
    limits: { fileBytes: defaultFileBytes, ...limits },
    mounts: found.mounts,
    layers: [...layers, layersPlace],
    base: found.files,
  });
}

async function checkBoxes({ dir }: JobSandboxOptions): Promise<DoctorCheck[]> {
  const network: DoctorCheck = {
    name: "network",
    status: "warning",
    detail: "boxes share the network of their task: a task that wants none is refused",
    remedy: "run such tasks with `sandbox: namespace`",
  };
  try {
    return [{ name: "boxes", status: "ok", detail: `${boxNames(dir).length} volumes in ${dir}` }, network];
  } catch (error) {
    if (!isTracemillError(error)) throw error;
    const remedy = "start a run with `sandbox: job` on AWS";
    return [{ name: "boxes", status: "missing", detail: messageOf(error), remedy }, network];
  }
}
