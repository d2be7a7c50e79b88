import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { exclusive } from "./exclusive.ts";
import { runNpm } from "./npm.ts";

/** Programs from npm, for the Linux of this machine's processor. */
export interface LayerRecipe {
  /** Of the agent: letters, digits and dashes. */
  name: string;
  /** Of the programs, as the folder's name shows it. Default: a hash of `packages`. */
  version?: string;
  /** As `npm install` takes them, with exact versions: `codex@npm:@openai/codex@0.169.0-linux-x64`. */
  packages: readonly string[];
  /** Which C library the programs want, where packages come in two kinds. */
  libc?: "glibc" | "musl";
}

/** A folder of installed programs (`node_modules` and below), whose content never changes. */
export interface InstalledLayer {
  id: string;
  dir: string;
}

export type InstallLayer = (recipe: LayerRecipe, signal: AbortSignal) => Promise<InstalledLayer>;

type RunNpm = typeof runNpm;

/**
 * Installs layers into `cacheDir`, a folder for each, made whole or not at all. What is there is taken as it is: no
 * registry is asked. Processes that want the same one wait for the first.
 * @param note gets a line when something is fetched.
 * @throws TracemillError `sandbox-failed`, with npm's own words; `unsupported` when there is no such package or version.
 */
export function npmLayers(
  cacheDir: string,
  npm: RunNpm = runNpm,
  note: (line: string) => void = () => undefined,
): InstallLayer {
  return async (recipe, signal) => {
    const id = layerId(recipe);
    const dir = join(cacheDir, id);
    if (await isUsed(dir)) return { id, dir };
    await mkdir(cacheDir, { recursive: true });
    using _ = await exclusive(join(cacheDir, `${id}.lock`), signal);
    if (await isUsed(dir)) return { id, dir };
    note(`installing ${recipe.packages.join(" ")} from npm, once (up to 400 MB)`);
    await install(recipe, { cacheDir, dir, npm, signal });
    return { id, dir };
  };
}

export function layerId({ name, version, packages, libc }: LayerRecipe): string {
  const content = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 12);
  const kind = libc === "musl" ? "-musl" : "";
  return `${name}-${version === undefined ? "" : `${version}-`}linux-${process.arch}${kind}-${content}`;
}

interface Installation {
  cacheDir: string;
  dir: string;
  npm: RunNpm;
  signal: AbortSignal;
}

async function install(recipe: LayerRecipe, { cacheDir, dir, npm, signal }: Installation): Promise<void> {
  const making = await mkdtemp(join(cacheDir, "making-"));
  try {
    await writeFile(join(making, "package.json"), '{ "private": true }\n');
    const patience = ["--fetch-retries=1", "--fetch-retry-maxtimeout=10000", "--fetch-timeout=120000"];
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev"];
    const machine = ["--os=linux", `--cpu=${process.arch}`, `--libc=${recipe.libc ?? "glibc"}`];
    const args = [
      "install",
      "--loglevel=error",
      ...options,
      ...patience,
      ...machine,
      "--",
      ...recipe.packages,
    ];
    const { exitCode, stderr } = await npm(args, making, signal);
    if (exitCode !== 0) throw new Error(lastLines(stderr) || `npm exits with ${exitCode}`);
    await rename(making, dir);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    signal.throwIfAborted();
    throw failed(recipe, dir, error);
  }
}

function failed({ name, packages }: LayerRecipe, dir: string, cause: unknown): TracemillError {
  const message = [
    `${name}: npm could not install ${packages.join(" ")}: ${messageOf(cause)}.`,
    `It asks the registry of your npm settings, once: what it has installed stays in ${dir}`,
  ].join(" ");
  // The registry has answered: asking it again helps nobody.
  if (/\b(?:E404|ETARGET)\b/.test(message)) return new TracemillError("unsupported", message, { cause });
  return new TracemillError("sandbox-failed", message, { cause, retryable: true });
}

function lastLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.includes("A complete log of"));
  return lines.slice(-6).join("; ");
}

/** Whether it is there; its time then says when it was last used, which is what `tracemill clean` goes by. */
async function isUsed(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}
