import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type BuildOptions, buildSync } from "esbuild";

/** CommonJS parts of a bundle ask for `require`, which a module has not. */
const banner =
  'import { createRequire as tracemillRequire } from "node:module";const require = tracemillRequire(import.meta.url);';

/** How handlers are bundled. The runtime's own SDK is not used: what was tested is what runs. */
export const bundleOptions = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  mainFields: ["module", "main"],
  minify: true,
  // Names of classes and functions are in error messages and logs.
  keepNames: true,
  sourcemap: "linked",
  sourcesContent: false,
  legalComments: "none",
  banner: { js: banner },
  // DuckDB finds its native library by itself; only the export has it. No function opens a terminal.
  external: ["@duckdb/*", "@xterm/headless"],
  logLevel: "error",
} as const satisfies BuildOptions;

/**
 * Bundles a handler to `.build/functions/<name>/index.mjs` below `root`: the same sources give the same bytes, and
 * files that are right already are left alone, so that several processes may do it at once.
 * @returns the folder.
 * @throws esbuild's own error for a handler that does not build.
 */
export function bundleHandler(name: string, root: string): string {
  const folder = join(root, ".build/functions", name);
  mkdirSync(folder, { recursive: true });
  const { outputFiles } = buildSync({
    ...bundleOptions,
    absWorkingDir: root,
    entryPoints: [`packages/functions/src/handlers/${name}.ts`],
    outfile: `${folder}/index.mjs`,
    write: false,
  });
  for (const { path, contents } of outputFiles) writeWhole(path, contents);
  return folder;
}

/** Readers see the old file or the new one. */
function writeWhole(path: string, contents: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  const temp = `${path}.${randomUUID()}`;
  writeFileSync(temp, contents);
  renameSync(temp, path);
}

export type Cpu = "arm64" | "x64";

/** DuckDB's packages, the native one last. */
const duckdb = ["node-api", "node-bindings"] as const;

/** The processor for which DuckDB's Linux library is installed here; `undefined` on other systems. */
export function nativeCpu(root: string): Cpu | undefined {
  return (["arm64", "x64"] as const).find((cpu) => packageFolder(`@duckdb/node-bindings-linux-${cpu}`, root));
}

/** The same for the export, with DuckDB beside it. */
export function bundleExport(cpu: Cpu, root: string): string {
  const folder = bundleHandler("export-small", root);
  for (const part of [...duckdb, `node-bindings-linux-${cpu}`]) {
    const from = packageFolder(`@duckdb/${part}`, root);
    if (from === undefined) throw new Error(`@duckdb/${part} is not installed: run \`npm ci\``);
    copyPackage(from, join(folder, "node_modules/@duckdb", part));
  }
  return folder;
}

/** Copies a package whole, unless this version of it is there: the native library has 70 MB. */
function copyPackage(from: string, to: string): void {
  const manifest = (folder: string): string => {
    const file = join(folder, "package.json");
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  };
  if (manifest(from) === manifest(to)) return;
  const temp = `${to}.${randomUUID()}`;
  cpSync(from, temp, { recursive: true, dereference: true });
  rmSync(to, { recursive: true, force: true });
  renameSync(temp, to);
}

function packageFolder(name: string, root: string): string | undefined {
  const { resolve } = createRequire(join(root, "packages/local/package.json"));
  for (const paths of resolve.paths(name) ?? []) {
    const folder = join(paths, name);
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  return undefined;
}
