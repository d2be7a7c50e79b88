import type { Owner } from "@tracemill/core/trial/deps.ts";
import type Docker from "dockerode";
import { callEngine, hasStatus } from "./engine.ts";
import { contentLabel, environmentLabel, fillerLabel, layerLabel, nameLabel, ownerLabel } from "./labels.ts";

/** Something of ours in an engine. */
export interface Leftover {
  kind: "container" | "network" | "volume";
  id: string;
  /** The trial that it was made for. */
  label: string;
}

type Owned = Leftover & { owner: string | undefined };

/** @param deps.isGone whether it is certain that the process of that id is gone. */
export interface JanitorDeps {
  docker: Docker;
  isGone: Owner["isGone"];
}

/**
 * Removes the containers, networks and volumes of processes that are gone. What a live process uses, or one on another machine
 * that shares the engine, stays.
 * @returns what was removed; with `dryRun` what would be.
 */
export async function removeAbandoned(
  { docker, isGone }: JanitorDeps,
  { dryRun = false }: { dryRun?: boolean } = {},
): Promise<Leftover[]> {
  return removeOwned(docker, isGone, dryRun);
}

/** Removes the containers, networks and volumes of every process, on every machine that uses the engine. */
export async function removeAll(docker: Docker): Promise<Leftover[]> {
  return removeOwned(docker, () => true, false);
}

async function removeOwned(docker: Docker, isGone: Owner["isGone"], dryRun: boolean): Promise<Leftover[]> {
  const owned = await labelled(docker, ownerLabel);
  const found = owned.filter(({ owner }) => owner !== undefined && isGone(owner));
  found.push(...(await halfFilledLayers(docker, isGone)));
  if (!dryRun) await removeLeftovers(docker, found);
  return found.map(({ kind, id, label }) => ({ kind, id, label }));
}

/** Volumes that a process which is gone did not come to fill. */
async function halfFilledLayers(docker: Docker, isGone: Owner["isGone"]): Promise<Owned[]> {
  const { contents, names } = await layerVolumes(docker);
  const whole = new Set(names.map(({ Labels }) => Labels?.[contentLabel]));
  return contents
    .filter(({ Name, Labels }) => !whole.has(Name) && isGone(Labels?.[fillerLabel] ?? ""))
    .map(({ Name, Labels }) => ({
      ...{ kind: "volume", id: Name, label: `layer ${Labels?.[layerLabel] ?? ""}` },
      owner: Labels?.[fillerLabel],
    }));
}

async function layerVolumes(docker: Docker) {
  const filters = { label: [layerLabel] };
  const { Volumes: volumes } = await callEngine("listing volumes", (abortSignal) =>
    docker.listVolumes({ filters, abortSignal }),
  );
  const isName = ({ Labels }: { Labels?: Readonly<Record<string, string>> | null }) =>
    Labels?.[contentLabel] !== undefined;
  return {
    contents: (volumes ?? []).filter((volume) => !isName(volume)),
    names: (volumes ?? []).filter(isName),
  };
}

/** A layer that is kept in an engine from run to run. */
export interface KeptLayer {
  id: string;
  /** The volume that is named after it, and the one that holds it. */
  volumes: [name: string, content: string];
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** The layers that an engine keeps, oldest first. */
export async function keptLayers(docker: Docker): Promise<KeptLayer[]> {
  const { names } = await layerVolumes(docker);
  return names
    .map(({ Name, Labels, ...rest }) => ({
      id: Labels?.[layerLabel] ?? "",
      volumes: [Name, Labels?.[contentLabel] ?? ""] satisfies [string, string],
      createdAt: Date.parse((rest as { CreatedAt?: string }).CreatedAt ?? ""),
    }))
    .toSorted((a, b) => a.createdAt - b.createdAt);
}

/** Removes a layer unless a container uses it. @returns whether it is gone. */
export async function removeKeptLayer(
  docker: Docker,
  { volumes: [name, content] }: KeptLayer,
): Promise<boolean> {
  for (const volume of [content, name]) {
    try {
      await callEngine("removing a volume", () => docker.getVolume(volume).remove());
    } catch (error) {
      if (hasStatus(error, 409)) return false;
      if (!hasStatus(error, 404)) throw error;
    }
  }
  return true;
}

/** Containers, networks and volumes with a label (`name` or `name=value`), in the order in which they can be removed. */
export async function labelled(docker: Docker, label: string): Promise<Owned[]> {
  const filters = { label: [label] };
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    callEngine("listing containers", (abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    ),
    callEngine("listing networks", (abortSignal) => docker.listNetworks({ filters, abortSignal })),
    callEngine("listing volumes", (abortSignal) => docker.listVolumes({ filters, abortSignal })),
  ]);
  const leftover = (
    kind: Leftover["kind"],
    id: string,
    labels: Readonly<Record<string, string>> | undefined,
  ) => ({
    ...{ kind, id, label: labels?.[nameLabel] ?? "", owner: labels?.[ownerLabel] },
  });
  return [
    ...containers.map(({ Id, Labels }) => leftover("container", Id, Labels)),
    ...networks.map(({ Id, Labels }) => leftover("network", Id, Labels)),
    ...(volumes ?? []).map(({ Name, Labels }) => leftover("volume", Name, Labels)),
  ];
}

/** Removes containers first: a network or a volume can go when nothing uses it any more. */
export async function removeLeftovers(docker: Docker, found: readonly Leftover[]): Promise<void> {
  const containers = found.filter(({ kind }) => kind === "container");
  const others = found.filter(({ kind }) => kind !== "container");
  await Promise.all(containers.map(({ id }) => removeContainer(docker, id)));
  await Promise.all(others.map(({ kind, id }) => removeOther(docker, kind, id)));
}

async function removeOther(docker: Docker, kind: Leftover["kind"], id: string): Promise<void> {
  const remove = () => (kind === "network" ? docker.getNetwork(id).remove() : docker.getVolume(id).remove());
  await ignoreGone(callEngine(`removing a ${kind}`, remove));
}

/** Kills and removes a container with its anonymous volumes; silent when it is gone. */
export async function removeContainer(docker: Docker, id: string): Promise<void> {
  const container = docker.getContainer(id);
  await ignoreGone(
    callEngine("removing a container", (abortSignal) =>
      container.remove({ force: true, v: true, abortSignal }),
    ),
  );
}

/** 409: somebody else removes it at this moment. */
async function ignoreGone(removing: Promise<unknown>): Promise<void> {
  try {
    await removing;
  } catch (error) {
    if (!hasStatus(error, 404, 409)) throw error;
  }
}

/** An image that we built for an environment. */
export interface EnvironmentImage {
  id: string;
  environment: string;
  /** With the layers that it shares with others. */
  bytes: number;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** The images that we built, oldest first. */
export async function environmentImages(docker: Docker): Promise<EnvironmentImage[]> {
  const filters = { label: [environmentLabel] };
  const images = await callEngine("listing images", (abortSignal) =>
    docker.listImages({ filters, abortSignal }),
  );
  return images
    .map(({ Id, Labels, Size, Created }) => ({
      id: Id,
      environment: Labels?.[environmentLabel] ?? "",
      bytes: Size,
      createdAt: Created * 1_000,
    }))
    .toSorted((a, b) => a.createdAt - b.createdAt);
}

/** Removes an image unless a container uses it. @returns whether it is gone. */
export async function removeImage(docker: Docker, id: string): Promise<boolean> {
  try {
    await callEngine("removing an image", (abortSignal) => docker.getImage(id).remove({ abortSignal }));
    return true;
  } catch (error) {
    if (hasStatus(error, 409)) return false;
    if (hasStatus(error, 404)) return true;
    throw error;
  }
}
