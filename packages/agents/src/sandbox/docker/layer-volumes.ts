import { randomBytes } from "node:crypto";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import { folderEntries } from "../folder-entries.ts";
import { unpackIn } from "./archive.ts";
import { callEngine, hasStatus } from "./engine.ts";
import { removeContainer } from "./janitor.ts";
import { contentLabel, fillerLabel, labelsOf, layerLabel } from "./labels.ts";
import { SharedWork } from "./shared-work.ts";

/** Where a volume is mounted while it is filled, without the slash at its start. */
const at = "layer";

/** A folder of a container that is a layer's volume. */
export interface LayerMount {
  /** The layer's. */
  id: string;
  volume: string;
  path: string;
}

/**
 * Layers as volumes of an engine, wherever that is: each is filled once, and mounted read-only from then on.
 *
 * A volume is filled under a name of its own. A second, empty one, named after the layer alone, says which volume holds
 * it: the engine makes that one once, whoever asks first, so that nobody ever mounts half of a layer.
 */
export class LayerVolumes {
  readonly #docker: Docker;
  readonly #owner: string;
  readonly #filling = new SharedWork<string>();

  constructor(docker: Docker, owner: string) {
    this.#docker = docker;
    this.#owner = owner;
  }

  /**
   * @param image any image of the engine: a container of it, which is never started, is what the volume is filled by.
   * @throws TracemillError `sandbox-failed`, `invalid-input` for a folder that cannot be copied.
   */
  async prepare(
    layers: readonly SandboxLayer[],
    image: string,
    signal: AbortSignal | undefined,
  ): Promise<LayerMount[]> {
    return Promise.all(
      layers.map(async (layer) => ({
        id: layer.id,
        path: layer.path,
        // Looked for each time: somebody may have removed it (`tracemill clean --layers`).
        volume: await this.#filling.do(
          layer.id,
          async () => (await this.#find(layer.id)) ?? this.#make(layer, image, signal),
          signal,
        ),
      })),
    );
  }

  /**
   * To be asked once a container has its mounts: an engine makes an empty volume in place of one that was removed since
   * it was prepared (`tracemill clean --layers`).
   * @throws TracemillError `sandbox-failed`.
   */
  async assertHeld(mounts: readonly LayerMount[]): Promise<void> {
    for (const { id, volume, path } of mounts)
      if (!(await this.#holds(volume, id)))
        throw new TracemillError("sandbox-failed", `the layer at ${path} was removed while it was laid in`, {
          retryable: true,
        });
  }

  /** The volume that holds a layer. */
  async #find(id: string): Promise<string | undefined> {
    const named = await this.#labelsOf(nameOf(id));
    const volume = named?.[contentLabel];
    if (volume === undefined) return undefined;
    if (await this.#holds(volume, id)) return volume;
    await this.#remove(nameOf(id));
    return undefined;
  }

  async #holds(volume: string, id: string): Promise<boolean> {
    return (await this.#labelsOf(volume))?.[layerLabel] === id;
  }

  async #labelsOf(volume: string): Promise<Readonly<Record<string, string>> | undefined> {
    try {
      const { Labels } = await callEngine("looking at a volume", () =>
        this.#docker.getVolume(volume).inspect(),
      );
      return Labels ?? {};
    } catch (error) {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    }
  }

  async #make({ id, dir }: SandboxLayer, image: string, signal: AbortSignal | undefined): Promise<string> {
    const volume = `${nameOf(id)}-${randomBytes(4).toString("hex")}`;
    const labels = { [layerLabel]: id };
    await callEngine("making a volume", () =>
      this.#docker.createVolume({ Name: volume, Labels: { ...labels, [fillerLabel]: this.#owner } }),
    );
    try {
      await this.#fill(volume, dir, image, signal);
      await callEngine("making a volume", () =>
        this.#docker.createVolume({ Name: nameOf(id), Labels: { ...labels, [contentLabel]: volume } }),
      );
      const chosen = (await this.#find(id)) ?? volume;
      // Another process was faster: its volume is as good as ours.
      if (chosen !== volume) await this.#remove(volume);
      return chosen;
    } catch (error) {
      await this.#remove(volume).catch(() => undefined);
      throw error;
    }
  }

  async #fill(volume: string, dir: string, image: string, signal: AbortSignal | undefined): Promise<void> {
    const container = await callEngine(
      "creating a container for a layer",
      (abortSignal) =>
        this.#docker.createContainer({
          Image: image,
          Entrypoint: ["/none"],
          Cmd: [],
          NetworkDisabled: true,
          Labels: labelsOf(this.#owner, "layer"),
          HostConfig: {
            Mounts: [{ Type: "volume", Source: volume, Target: `/${at}`, VolumeOptions: plain }],
          },
          abortSignal,
        }),
      { signal },
    );
    try {
      await unpackIn(container, placed(folderEntries(dir)), signal);
    } finally {
      await removeContainer(this.#docker, container.id);
    }
  }

  /** Somebody else may have removed it. */
  async #remove(volume: string): Promise<void> {
    try {
      await callEngine("removing a volume", () => this.#docker.getVolume(volume).remove());
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
    }
  }
}

/** Nothing of an image's own is copied into the volume. */
const plain = { NoCopy: true, Labels: {}, DriverConfig: { Name: "local", Options: {} } };

/**
 * The mounts of a container, as the engine takes them.
 * @param labels the container's: of an empty volume that the engine makes in place of one that was removed.
 */
export function readOnlyMounts(
  mounts: readonly LayerMount[],
  labels: Readonly<Record<string, string>>,
): Docker.MountConfig {
  return mounts.map(({ volume, path }) => ({
    Type: "volume",
    Source: volume,
    Target: path,
    ReadOnly: true,
    VolumeOptions: { ...plain, Labels: { ...labels } },
  }));
}

function nameOf(id: string): string {
  return `tracemill-layer-${id}`;
}

async function* placed(entries: AsyncIterable<LayerEntry>): AsyncGenerator<LayerEntry> {
  yield { type: "directory", path: at, mode: 0o755 };
  for await (const entry of entries) yield { ...entry, path: `${at}/${entry.path}` };
}
