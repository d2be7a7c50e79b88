import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import { assertFree } from "../layers.ts";
import type { HostBase } from "./host-base.ts";
import { LowerView } from "./lower-view.ts";
import { smallLayer } from "./small-layer.ts";

/**
 * A layer with the empty folders that read-only layers are mounted on, so that these are part of the environment and
 * no change of a sandbox.
 * @param layers of the environment, topmost first.
 * @throws TracemillError `invalid-input` where the environment has something else.
 */
export async function mountPoints(
  laid: readonly SandboxLayer[],
  { base, layers, cacheDir }: { base: HostBase; layers: readonly string[]; cacheDir: string },
): Promise<string> {
  const view = new LowerView(base, layers);
  await assertFree(laid, (path) => view.stat(path));
  const places = laid.map(({ path }) => {
    const { name, inside } = view.locate(path.slice(1));
    return join(name, inside);
  });
  const hash = createHash("sha256").update(JSON.stringify(places)).digest("hex").slice(0, 16);
  return smallLayer(cacheDir, `places-${hash}`, (layer) => {
    for (const place of places) mkdirSync(join(layer, place), { recursive: true });
  });
}
