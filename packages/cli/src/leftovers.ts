import { existsSync } from "node:fs";
import { lstat, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { localEngine } from "@tracemill/agents/sandbox/docker/connect.ts";
import {
  environmentImages,
  keptLayers,
  type Leftover,
  removeAbandoned,
  removeImage,
  removeKeptLayer,
  removeLeftovers,
} from "@tracemill/agents/sandbox/docker/janitor.ts";
import { dockerLogDir } from "@tracemill/agents/sandbox/docker/provider.ts";
import { abandonedIn, removeFolder } from "@tracemill/agents/sandbox/namespace/janitor.ts";
import { removeLayer, unusedFolders, unusedLayers } from "@tracemill/agents/sandbox/namespace/layer-cache.ts";
import type { Owner } from "@tracemill/core/trial/deps.ts";
import { leftoversIn } from "@tracemill/local/disk-temp.ts";
import { homeFolders } from "./home-folders.ts";

/** A client of Docker's engine. */
export type Engine = ReturnType<typeof localEngine>;

/** Something that takes space and that no live process uses. */
export interface Removable {
  kind: "sandbox" | "scratch" | "layer" | "program" | "build log" | "image" | Leftover["kind"];
  /** A path, or what Docker calls it. */
  name: string;
  /** Bytes on disk; of an image with the layers that it shares. Absent where finding out would take long. */
  bytes?: number;
  /** @returns false when somebody has begun to use it. */
  remove(): Promise<boolean>;
}

/** What killed processes have left in the home: folders of sandboxes, half-built environments, temporary files. */
export async function abandonedFiles(home: string): Promise<Removable[]> {
  const { sandboxes, building, scratch } = homeFolders(home);
  const folders = [...abandonedIn(sandboxes), ...abandonedIn(building)];
  return Promise.all([
    ...folders.map((path) => onDisk("sandbox", path, async () => removeFolder(path))),
    ...leftoversIn(scratch).map((path) =>
      onDisk("scratch", path, () => rm(path, { recursive: true, force: true })),
    ),
  ]);
}

/** Layers of environments that no sandbox has used since `before` (milliseconds since the epoch). */
export async function oldLayers(home: string, before: number): Promise<Removable[]> {
  const layers = unusedLayers(homeFolders(home).layers, before);
  return Promise.all(layers.map((layer) => onDisk("layer", layer.path, async () => removeLayer(layer))));
}

/** Programs of agents that no run has used since `before` (milliseconds since the epoch): the next one installs them again. */
export async function oldPrograms(home: string, before: number): Promise<Removable[]> {
  // The authority that sandboxes trust, and locks, lie there too.
  const programs = unusedFolders(homeFolders(home).agents, before).filter(({ path }) =>
    existsSync(join(path, "package.json")),
  );
  return Promise.all(
    programs.map((program) => onDisk("program", program.path, async () => removeLayer(program))),
  );
}

/** What runs that are gone have left in Docker's engine. */
export async function abandonedInDocker(docker: Engine, isGone: Owner["isGone"]): Promise<Removable[]> {
  const found = await removeAbandoned({ docker, isGone }, { dryRun: true });
  return found.map((leftover) => ({
    kind: leftover.kind,
    name:
      leftover.label === "" ? leftover.id.slice(0, 12) : `${leftover.id.slice(0, 12)} (${leftover.label})`,
    remove: async () => {
      await removeLeftovers(docker, [leftover]);
      return true;
    },
  }));
}

/** Images that were built for environments before this time, and the logs of such builds. */
export async function oldImages(docker: Engine, home: string, before: number): Promise<Removable[]> {
  const images = (await environmentImages(docker)).filter(({ createdAt }) => createdAt < before);
  const logs = await filesBefore(dockerLogDir(home), before);
  return [
    ...images.map(({ id, bytes }) => ({
      ...{ kind: "image" as const, name: id.replace(/^sha256:/, "").slice(0, 12), bytes },
      remove: () => removeImage(docker, id),
    })),
    ...(await Promise.all(logs.map((path) => onDisk("build log", path, () => rm(path, { force: true }))))),
  ];
}

/** Layers of agents' programs that an engine has kept since before this time (milliseconds since the epoch). */
export async function oldLayerVolumes(docker: Engine, before: number): Promise<Removable[]> {
  const layers = (await keptLayers(docker)).filter(({ createdAt }) => createdAt < before);
  return layers.map((layer) => ({
    ...{ kind: "volume" as const, name: layer.volumes[0] },
    remove: () => removeKeptLayer(docker, layer),
  }));
}

async function onDisk(
  kind: Removable["kind"],
  path: string,
  remove: () => Promise<void>,
): Promise<Removable> {
  return {
    ...{ kind, name: path, bytes: await bytesIn(path) },
    remove: async () => {
      await remove();
      return true;
    },
  };
}

async function filesBefore(folder: string, before: number): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const paths = names.map((name) => join(folder, name));
  const times = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
  return paths.filter((_, index) => (times[index] ?? before) < before);
}

/** Bytes on disk of a file, or of a folder with all that is in it and may be looked at. */
async function bytesIn(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return 0;
  let bytes = stats.blocks * 512;
  if (!stats.isDirectory()) return bytes;
  for (const name of await readdir(path).catch(() => [])) bytes += await bytesIn(join(path, name));
  return bytes;
}
