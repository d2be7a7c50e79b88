import { randomBytes } from "node:crypto";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  environmentLabel,
  fillerLabel,
  labelsOf,
  layerLabel,
} from "@tracemill/agents/sandbox/docker/labels.ts";
import { LayerVolumes, readOnlyMounts } from "@tracemill/agents/sandbox/docker/layer-volumes.ts";
import { dockerLogDir } from "@tracemill/agents/sandbox/docker/provider.ts";
import { abandonedInDocker, oldImages, oldLayerVolumes } from "tracemill/leftovers.ts";
import { describe, expect, inject, test } from "vitest";
import { baseImage, dockerAt } from "../emulators/docker-engine.ts";
import { tempDir } from "../fakes/temp-dir.ts";

const engine = inject("docker");
const why = "missing" in engine ? ` (skipped: ${engine.missing})` : "";

describe.skipIf("missing" in engine)(`cleaning Docker${why}`, () => {
  const docker = dockerAt("host" in engine ? engine.host : "unix:///none");
  const id = randomBytes(4).toString("hex");

  /** What a run has while it goes on: a running container in a network of its own, with a volume. */
  async function things(owner: string): Promise<{ left(): Promise<number>; end(): Promise<void> }> {
    const Labels = labelsOf(owner, `trial of ${owner}`);
    const network = await docker.createNetwork({ Name: `tracemill-${owner}`, Labels });
    const volume = await docker.createVolume({ Name: `tracemill-${owner}`, Labels });
    const HostConfig = { NetworkMode: `tracemill-${owner}`, Binds: [`tracemill-${owner}:/data`] };
    const Cmd = ["sleep", "infinity"];
    const container = await docker.createContainer({ Image: baseImage, Cmd, Labels, HostConfig });
    await container.start();
    const all = () => Promise.allSettled([container.inspect(), network.inspect(), volume.inspect()]);
    return {
      left: async () => (await all()).filter(({ status }) => status === "fulfilled").length,
      end: async () => {
        await container.remove({ force: true });
        await Promise.all([network.remove(), volume.remove()]);
      },
    };
  }

  test("removes containers, networks and volumes of runs that are gone, and nothing of live ones", async () => {
    const [dead, live] = await Promise.all([things(`dead-${id}`), things(`live-${id}`)]);
    const found = await abandonedInDocker(docker, (owner) => owner === `dead-${id}`);
    expect(found.map(({ kind }) => kind)).toEqual(["container", "network", "volume"]);
    expect(found[0]?.name).toContain(`trial of dead-${id}`);
    expect(await dead.left()).toBe(3);
    for (const removable of found) expect(await removable.remove()).toBe(true);
    expect(await dead.left()).toBe(0);
    expect(await live.left()).toBe(3);
    await live.end();
  });

  test("removes old images with their build logs, unless a container uses them", async () => {
    await using home = await tempDir();
    const logs = dockerLogDir(home.path);
    await mkdir(logs, { recursive: true });
    await writeFile(join(logs, "old.log"), "step 1");
    await utimes(join(logs, "old.log"), 0, 0);
    const source = await docker.createContainer({ Image: baseImage, Cmd: ["true"] });
    const [used, unused] = await Promise.all(
      ["used", "unused"].map(async (name) => {
        const changes = `LABEL ${environmentLabel}=${name}-${id}`;
        await source.commit({ repo: `tracemill/${name}-${id}`, tag: "x", changes });
        return (await docker.getImage(`tracemill/${name}-${id}:x`).inspect()).Id.slice(7, 19);
      }),
    );
    await source.remove();
    const user = await docker.createContainer({ Image: `tracemill/used-${id}:x`, Cmd: ["true"] });

    const young = await oldImages(docker, home.path, Date.now() - 60_000);
    expect(young.filter(({ name }) => name === used || name === unused)).toEqual([]);
    const all = await oldImages(docker, home.path, Date.now() + 60_000);
    const named = (name: string | undefined) => all.find((removable) => removable.name === name);
    expect(named(used)?.bytes).toBeGreaterThan(1_000_000);
    expect(await named(used)?.remove()).toBe(false);
    expect(await named(unused)?.remove()).toBe(true);
    expect(await named(join(logs, "old.log"))?.remove()).toBe(true);
    await user.remove();
    expect(await named(used)?.remove()).toBe(true);
    await expect(docker.getImage(`tracemill/unused-${id}:x`).inspect()).rejects.toMatchObject({
      statusCode: 404,
    });
  });

  test("removes old layers unless a container uses them, and those that nobody came to fill", async () => {
    await using folder = await tempDir();
    await writeFile(join(folder.path, "file"), "content");
    const layer = { id: `clean-${id}`, dir: folder.path, path: "/opt/tracemill/x" };
    const volumes = new LayerVolumes(docker, `live-${id}`);
    const [mount] = await volumes.prepare([layer], baseImage, undefined);
    expect(await volumes.prepare([layer], baseImage, undefined)).toEqual([mount]);
    const Labels = { [layerLabel]: layer.id, [fillerLabel]: `dead-${id}` };
    await docker.createVolume({ Name: `tracemill-half-${id}`, Labels });
    const HostConfig = { Binds: [`${mount?.volume}:/x`] };
    const user = await docker.createContainer({ Image: baseImage, Cmd: ["true"], HostConfig });

    const half = await abandonedInDocker(docker, () => true);
    const halves = half.filter(({ name }) => name.includes(layer.id));
    expect(halves).toHaveLength(1);
    for (const removable of halves) expect(await removable.remove()).toBe(true);
    const isOurs = ({ name }: { name: string }) => name.endsWith(layer.id);
    expect((await oldLayerVolumes(docker, Date.now() - 60_000)).filter(isOurs)).toEqual([]);
    const [old] = (await oldLayerVolumes(docker, Date.now() + 60_000)).filter(isOurs);
    expect(await old?.remove()).toBe(false);
    await user.remove();
    expect(await old?.remove()).toBe(true);
    const { Volumes: left } = await docker.listVolumes({ filters: { label: [`${layerLabel}=${layer.id}`] } });
    expect(left ?? []).toEqual([]);
  });

  test("a layer that is removed while it is laid in is a failure, and never an empty folder", async () => {
    await using folder = await tempDir();
    await writeFile(join(folder.path, "file"), "content");
    const layer = { id: `raced-${id}`, dir: folder.path, path: "/opt/tracemill/x" };
    const volumes = new LayerVolumes(docker, `live-${id}`);
    const [mount] = await volumes.prepare([layer], baseImage, undefined);
    if (mount === undefined) throw new Error("no mount");
    await volumes.assertHeld([mount]);
    await docker.getVolume(mount.volume).remove();
    const Labels = labelsOf(`dead-${id}`, "raced");
    const HostConfig = { Mounts: readOnlyMounts([mount], Labels) };
    const user = await docker.createContainer({ Image: baseImage, Cmd: ["true"], Labels, HostConfig });
    await expect(volumes.assertHeld([mount])).rejects.toMatchObject({
      ...{ code: "sandbox-failed", retryable: true, message: expect.stringContaining("/opt/tracemill/x") },
    });

    const [next] = await volumes.prepare([layer], baseImage, undefined);
    expect(next?.volume).not.toBe(mount.volume);
    await user.remove();
    const left = await abandonedInDocker(docker, (owner) => owner === `dead-${id}`);
    expect(left.map(({ kind, name }) => [kind, name])).toEqual([
      ["volume", expect.stringContaining("(raced)")],
    ]);
    for (const removable of left) await removable.remove();
    const isOurs = ({ name }: { name: string }) => name.endsWith(layer.id);
    for (const kept of (await oldLayerVolumes(docker, Date.now() + 60_000)).filter(isOurs))
      await kept.remove();
  });
});
