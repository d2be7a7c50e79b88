import { readdirSync, rmSync, utimesSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { layersFolder, removeLayer, unusedLayers } from "./layer-cache.ts";
import { namespaceSandboxes } from "./provider.ts";

const home = await mkdtemp(join(tmpdir(), "tracemill-layers-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe.skipIf(process.platform !== "linux")("the layer cache", () => {
  const cacheDir = join(home, "cache");
  const provider = namespaceSandboxes({ dir: join(home, "sandboxes"), cacheDir });
  const open = () =>
    provider.create({
      environment: {
        dockerfile: "FROM x\nRUN echo built > /built\n",
        files: [],
        env: {},
        buildTimeoutSec: 60,
      },
      limits: {},
      network: "none",
      label: "layers",
    });

  test("names layers that no sandbox has mounted, by their last use", async () => {
    const hourAgo = new Date(Date.now() - 3_600_000);
    const unused = () => unusedLayers(cacheDir, Date.now());
    const first = await open();
    const [name = ""] = readdirSync(layersFolder(cacheDir));
    const path = join(layersFolder(cacheDir), name);
    utimesSync(path, hourAgo, hourAgo);
    expect(unused()).toEqual([]);

    await first.close();
    expect(unused()).toEqual([{ path, usedAt: hourAgo.getTime() }]);
    await (await open()).close();
    expect(unused()).toEqual([]);

    removeLayer({ path, usedAt: 0 });
    expect(readdirSync(layersFolder(cacheDir))).toEqual([]);
    const built = await open();
    expect((await built.exec(["cat", "/built"])).stdout).toBe("built\n");
    await built.close();
  });
});
