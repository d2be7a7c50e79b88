import type { SandboxEnvironment, SandboxLimits, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import type Docker from "dockerode";
import { checkLayers } from "../layers.ts";
import { composeUp } from "./compose/up.ts";
import type { EngineFacts } from "./connect.ts";
import { startContainer } from "./container.ts";
import { callEngine } from "./engine.ts";
import { type EnvironmentImage, type Images, variablesOf } from "./images.ts";
import { removeContainer } from "./janitor.ts";
import { labelsOf } from "./labels.ts";
import type { LayerMount, LayerVolumes } from "./layer-volumes.ts";
import type { NetworkPool } from "./network-pool.ts";

/** No single file grows larger than this where the spec does not say, so that one command cannot fill the disk. */
const defaultFileBytes = 8 * 1024 ** 3;

/** Nor all files of a sandbox together. */
const defaultDiskBytes = 32 * 1024 ** 3;

/** What all sandboxes of an engine share. */
export interface StartDeps {
  docker: Docker;
  facts: EngineFacts;
  images: Images;
  networks: NetworkPool;
  layers: LayerVolumes;
  owner: string;
  /** For the projects of compose tasks. */
  dir: string;
}

/** A running container, before anything is known of its files. */
export interface Started {
  container: Docker.Container;
  image: EnvironmentImage;
  limits: Limits;
}

export type Limits = SandboxLimits & { fileBytes: number; diskBytes: number };

function limitsOf({ limits }: Pick<SandboxSpec, "limits">): Limits {
  const diskBytes = limits.diskBytes ?? defaultDiskBytes;
  return { ...limits, diskBytes, fileBytes: limits.fileBytes ?? Math.min(defaultFileBytes, diskBytes) };
}

/** Starts a container of the task's own image. */
export async function startAlone(
  engine: StartDeps,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
): Promise<Started> {
  const { docker, facts, owner } = engine;
  const { network, label, signal } = spec;
  const image = await engine.images.prepare(spec);
  checkLayers(spec.layers ?? [], image.workdir);
  const layers = await engine.layers.prepare(spec.layers ?? [], image.id, signal);
  const limits = limitsOf(spec);
  const lent = network === "host" ? await engine.networks.take(image.id, signal) : undefined;
  let isRemoved = false;
  // Nobody waits for it: the next sandbox takes another network, or makes one.
  undo.defer(() => lent?.release({ reuse: isRemoved }));
  const container = await startContainer({
    docker,
    image,
    limits,
    network: lent === undefined ? "none" : { of: lent.container },
    labels: labelsOf(owner, label),
    layers,
    hasQuota: facts.hasQuota,
    signal,
  });
  undo.defer(async () => {
    await removeContainer(docker, container.id);
    isRemoved = true;
  });
  await engine.layers.assertHeld(layers);
  return { container, image, limits };
}

/** Starts the services of the task's compose file. */
export async function startComposed(
  engine: StartDeps,
  environment: SandboxEnvironment & { compose: string },
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
): Promise<Started> {
  const { docker, owner, dir } = engine;
  const { network, label, signal } = spec;
  const limits = limitsOf(spec);
  const hasImage = environment.dockerfile !== undefined || environment.image !== undefined;
  const built = hasImage ? await engine.images.prepare(spec) : undefined;
  const labels = labelsOf(owner, label);
  const layers = await composeLayers(engine, spec, built);
  const up = await composeUp({
    docker,
    dir,
    environment,
    builtImage: built?.id,
    limits,
    network,
    layers,
    labels,
    signal,
  });
  undo.defer(() => up.close());
  await engine.layers.assertHeld(layers);
  const container = docker.getContainer(up.containerId);
  const found = await callEngine("looking at a container", () => container.inspect());
  const image: EnvironmentImage = {
    id: found.Image,
    hash: built?.hash ?? found.Image.replace(/^sha256:/, ""),
    workdir: found.Config.WorkingDir || "/",
    env: variablesOf(found.Config.Env ?? []),
    base: built?.base ?? "the service `main` of the task's compose file",
  };
  checkLayers(spec.layers ?? [], image.workdir);
  return { container, image, limits };
}

/** The image of `main` may be known to compose alone; any other fills a volume as well. */
async function composeLayers(
  { images, layers: volumes }: StartDeps,
  { layers = [], environment, label, signal }: SandboxSpec,
  built: EnvironmentImage | undefined,
): Promise<LayerMount[]> {
  if (layers.length === 0) return [];
  checkLayers(layers, environment.workdir ?? "/");
  const bare = { files: [], env: {}, buildTimeoutSec: environment.buildTimeoutSec };
  const { id } = built ?? (await images.prepare({ environment: bare, label, ...(signal && { signal }) }));
  return volumes.prepare(layers, id, signal);
}
