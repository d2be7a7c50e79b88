import { join } from "node:path";
import { messageOf } from "@tracemill/core/errors.ts";
import type { SandboxDescription, SandboxProvider, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import type { Owner } from "@tracemill/core/trial/deps.ts";
import type Docker from "dockerode";
import { assertFree } from "../layers.ts";
import { archiveContents } from "./archive-contents.ts";
import { type BaseView, placeIn } from "./base-view.ts";
import { BaseViews } from "./base-views.ts";
import { connect, type EngineFacts, localEngine } from "./connect.ts";
import type { Contents } from "./contents.ts";
import { watchDisk } from "./disk-watch.ts";
import { checkDocker } from "./doctor.ts";
import { openContainerDoor } from "./doors.ts";
import { type Egress, openEgress } from "./egress/open.ts";
import { runOwn } from "./exec.ts";
import { hostContents } from "./host-contents.ts";
import { type EnvironmentImage, Images } from "./images.ts";
import { removeAbandoned } from "./janitor.ts";
import { labelsOf } from "./labels.ts";
import { LayerVolumes } from "./layer-volumes.ts";
import { NetworkPool } from "./network-pool.ts";
import { relayImage } from "./relay-image.ts";
import { DockerSandbox } from "./sandbox.ts";
import { SharedWork } from "./shared-work.ts";
import { type Limits, type StartDeps, startAlone, startComposed } from "./start.ts";

export interface DockerOptions {
  /** Default: the engine that `DOCKER_HOST` names, or the one at the usual socket. */
  docker?: Docker;
  /** This process, and which others are gone: what those have left behind is removed. */
  owner: Pick<Owner, "id" | "isGone">;
  /** For files that live as long as a sandbox: the projects of compose tasks. */
  dir: string;
  /** Where build logs are kept. */
  logDir: string;
  /** For tasks with neither a Dockerfile nor an image; it has to have bash. Default: `python:3.12-bookworm`. */
  baseImage?: string;
  /** By which way files go in and out. Default: by this machine's file system where that is possible. */
  files?: "auto" | "archives";
  /** By which way doors open. Default: by the container's own network where this process may enter it. */
  doors?: "auto" | "relay";
  log?: (message: string) => void;
}

export const defaultBaseImage = "python:3.12-bookworm";

/** Largest workspace: no sandbox's disk holds more. */
const maxWorkspaceBytes = 256 * 1024 ** 3;

/**
 * Sandboxes that are containers of a Docker engine, on this machine or another. How they isolate, and what they do not
 * protect from: `docs/sandboxes.md`.
 */
export function dockerSandboxes(options: DockerOptions): SandboxProvider {
  const docker = options.docker ?? localEngine();
  let opened: Promise<Engine> | undefined;
  const create = async (spec: SandboxSpec): Promise<DockerSandbox> => {
    spec.signal?.throwIfAborted();
    opened ??= openEngine(docker, options);
    const engine = await opened.catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return openSandbox(engine, spec);
  };
  return {
    name: "docker",
    create,
    doctor: () => checkDocker(docker, options.baseImage ?? defaultBaseImage),
    close: async () => {
      const engine = await opened?.catch(() => undefined);
      await engine?.bases.close();
      await engine?.networks.close();
    },
  };
}

/** What is found out once, and shared by all sandboxes. */
interface Engine extends StartDeps {
  bases: BaseViews;
  files: "auto" | "archives";
  doors: "auto" | "relay";
  relayImage(): Promise<string>;
}

async function openEngine(
  docker: Docker,
  {
    owner,
    logDir,
    dir,
    baseImage = defaultBaseImage,
    files = "auto",
    doors = "auto",
    ...options
  }: DockerOptions,
): Promise<Engine> {
  const { log = () => undefined } = options;
  const facts = await connect(docker);
  // Whatever keeps it from being removed does not keep us from work.
  await removeAbandoned({ docker, isGone: owner.isGone }).catch((error: unknown) =>
    log(`what an earlier run left in Docker stays there: ${messageOf(error)}`),
  );
  const images = new Images({ docker, baseImage, logDir, log });
  const bases = new BaseViews(docker, labelsOf(owner.id, "base"));
  const networks = new NetworkPool({ docker, labels: labelsOf(owner.id, "network"), baseImage, log });
  const layers = new LayerVolumes(docker, owner.id);
  const making = new SharedWork<string>();
  const image = () => making.do("relay", () => relayImage(docker, facts.architecture, log), undefined);
  return {
    ...{ docker, facts, images, bases, networks, owner: owner.id, dir, files, doors, layers },
    relayImage: image,
  };
}

async function openSandbox(engine: Engine, spec: SandboxSpec): Promise<DockerSandbox> {
  await using undo = new AsyncDisposableStack();
  const started =
    spec.environment.compose === undefined
      ? await startAlone(engine, spec, undo)
      : await startComposed(engine, { ...spec.environment, compose: spec.environment.compose }, spec, undo);
  const { container, image, limits } = started;
  const egress = await openWayOut(engine.docker, spec, container.id, undo);
  const base = engine.bases.take(image.id);
  undo.defer(base.release);
  const watch = watchDisk(container, engine.facts.hasQuota ? Number.POSITIVE_INFINITY : limits.diskBytes);
  undo.defer(watch.stop);
  const variables = { ...image.env, ...egress?.env, ...spec.environment.env };
  const { layers = [], label } = spec;
  await assertFree(layers, (path) => placeIn(base.view, path));
  const contents = await openContents(engine, { container, base: base.view, limits, env: variables });
  undo.defer(() => contents.close());
  spec.signal?.throwIfAborted();
  const owned = undo.move();
  return new DockerSandbox({
    container,
    contents,
    base: base.view,
    description: describe(engine.facts, image, spec),
    refusedHosts: () => egress?.refused() ?? [],
    workdir: image.workdir,
    env: variables,
    user: spec.user ?? "0",
    limits,
    layers,
    listen: (onConnection) =>
      openContainerDoor(
        {
          ...{ docker: engine.docker, containerId: container.id, doors: engine.doors },
          ...{ relayImage: engine.relayImage, labels: labelsOf(engine.owner, `${label}: door`) },
        },
        onConnection,
      ),
    ended: watch.ended,
    dispose: () => owned.disposeAsync(),
  });
}

interface Opened {
  container: Docker.Container;
  base: BaseView;
  limits: Limits;
  env: Readonly<Record<string, string>>;
}

async function openContents(
  { facts, files }: Engine,
  { container, base, limits: { fileBytes }, env }: Opened,
): Promise<Contents> {
  const limits = { maxFileBytes: fileBytes, maxBytes: maxWorkspaceBytes };
  const byHost = files === "auto" && facts.hasPlainOverlays;
  const found = byHost ? await hostContents({ container, base, limits }) : undefined;
  const run = (doing: string, command: readonly string[]) => runOwn(container, doing, { command, env });
  return found ?? archiveContents({ container, base, limits, runOwn: run });
}

/** With an allow-list: the proxy, on the container's loopback. There is no other way out of it. */
async function openWayOut(
  docker: Docker,
  { network }: Pick<SandboxSpec, "network">,
  containerId: string,
  undo: AsyncDisposableStack,
): Promise<Egress | undefined> {
  if (typeof network === "string") return undefined;
  const egress = openEgress({ docker, allow: network.allow });
  undo.defer(() => egress.close());
  await egress.attach(containerId);
  return egress;
}

function describe(
  { cgroups, hasSeccomp }: EngineFacts,
  { base, hash }: EnvironmentImage,
  { network, environment }: SandboxSpec,
): SandboxDescription {
  return {
    sandbox: "docker",
    base,
    isolation: [
      environment.compose === undefined ? "container" : "compose",
      "no_new_privs",
      "capabilities",
      ...(hasSeccomp ? ["seccomp"] : []),
      `cgroup-v${cgroups}`,
    ],
    network: typeof network === "string" ? network : "allowlist",
    environment: hash,
  };
}

/** Build logs of a home. */
export function dockerLogDir(home: string): string {
  return join(home, "cache", "docker");
}
