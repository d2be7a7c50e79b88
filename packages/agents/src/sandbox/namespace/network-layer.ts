import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootName } from "./mounts.ts";
import { smallLayer } from "./small-layer.ts";

/** Where this machine looks names up; a sandbox without its network has no use for them. */
const files = ["resolv.conf", "hosts"];

/** A layer that lets a sandbox with this machine's network find the hosts that the machine finds. */
export function networkLayer(cacheDir: string): string {
  const texts = files.map((name) => readText(`/etc/${name}`));
  const hash = createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 16);
  return smallLayer(cacheDir, `network-${hash}`, (layer) => {
    const etc = join(layer, rootName, "etc");
    mkdirSync(etc, { recursive: true });
    for (const [index, name] of files.entries()) writeFileSync(join(etc, name), texts[index] ?? "");
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
