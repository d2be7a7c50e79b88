import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./cache.ts";

const run = promisify(execFile);

const candidates = ["python3.13", "python3.12", "python3.11", "python3.10", "python3"];

/** moto 5.2 and cfn-lint 1.x need 3.10; `ensurepip` is missing where Debian's python3-venv is not installed. */
const isUsable = "import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))";

let found: Promise<string | undefined> | undefined;

async function findPython(): Promise<string | undefined> {
  for (const name of candidates) {
    const works = await run(name, ["-c", isUsable]).then(
      () => true,
      () => false,
    );
    if (works) return name;
  }
  return undefined;
}

function python(): Promise<string | undefined> {
  found ??= findPython();
  return found;
}

/** Why `pythonVenv` cannot work on this machine, for a skipped suite's title; `undefined` when it can. */
export async function pythonMissing(): Promise<string | undefined> {
  return (await python()) === undefined
    ? "needs Python 3.10 or newer with venv and pip (Debian: apt-get install python3-venv)"
    : undefined;
}

export interface PythonVenv {
  dir: string;
  /** The venv's interpreter: start programs with `python -m NAME`. */
  python: string;
  /** The folder of its installed programs. */
  bin: string;
}

/**
 * A Python virtual environment with exactly these packages and what they need, made on first use and kept under
 * `node_modules/.cache/tracemill`. Takes about 30 s the first time.
 * @param requirements pinned, as pip reads them: `moto[server]==5.2.5`.
 * @throws when this machine has no usable Python (`pythonMissing` says so before), or pip fails.
 */
export async function pythonVenv(requirements: readonly string[]): Promise<PythonVenv> {
  const base = await python();
  if (base === undefined) throw new Error(`${await pythonMissing()}`);
  const { stdout: version } = await run(base, ["--version"]);
  const hash = createHash("sha256")
    .update(JSON.stringify([version, requirements]))
    .digest("hex");
  const dir = await cached(`venv-${hash.slice(0, 16)}`, async (path) => {
    await run(base, ["-m", "venv", path]);
    await pipInstall(join(path, "bin", "python"), requirements);
  });
  const bin = join(dir, "bin");
  return { dir, python: join(bin, "python"), bin };
}

async function pipInstall(interpreter: string, requirements: readonly string[]): Promise<void> {
  const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
  await run(interpreter, [...args, ...requirements], { maxBuffer: 16 * 1024 * 1024 });
}
