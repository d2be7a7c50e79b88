import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { bundleOptions } from "../../../infra/bundle.ts";

export interface Bundle {
  name: string;
  /** Where it was written. */
  path: string;
  bytes: number;
}

/** Repository root: paths in a bundle are relative to it, so that its bytes do not depend on the machine. */
const root = join(import.meta.dirname, "../../..");

/** Bundles every handler as a deployment does, into `dir`. */
export async function bundleHandlers(dir: string): Promise<Bundle[]> {
  await mkdir(dir, { recursive: true });
  const handlers = join(root, "packages/functions/src/handlers");
  const names = (await readdir(handlers)).filter((file) => !file.endsWith(".test.ts"));
  const { outputFiles } = await build({
    ...bundleOptions,
    sourcemap: false,
    absWorkingDir: root,
    entryPoints: names.map((file) => join(handlers, file)),
    outdir: dir,
    outExtension: { ".js": ".mjs" },
    write: false,
  });
  const modules = outputFiles.filter(({ path }) => path.endsWith(".mjs"));
  return Promise.all(
    modules.map(async ({ path, contents }) => {
      await writeFile(path, contents);
      return { name: basename(path, ".mjs"), path, bytes: contents.byteLength };
    }),
  );
}
