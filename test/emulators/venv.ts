import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cached } from "./cache.ts";

const run = promisify(execFile);

const names = ["python3.13", "python3.12", "python3.11", "python3.10", "python3"];

/** moto 5.2 and cfn-lint 1.x need 3.10. */
const defaultMinor = 10;

/** `ensurepip` is missing where Debian's python3-venv is not installed. */
const isUsable = (minor: number) => `import ensurepip, venv, sys; sys.exit(sys.version_info < (3, ${minor}))`;

const found = new Map<number, Promise<string | undefined>>();

async function findPython(minor: number): Promise<string | undefined> {
  for (const name of [...names, ...(await pyenvPythons())]) {
    const works = await run(name, ["-c", isUsable(minor)]).then(
      () => true,
      () => false,
    );
    if (works) return name;
  }
  return undefined;
}

/** By its own name, pyenv has only the version that was chosen, whatever others are installed. */
async function pyenvPythons(): Promise<string[]> {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const installed = await readdir(versions).catch(() => []);
  return installed.toReversed().map((version) => join(versions, version, "bin", "python3"));
}

function python(minor: number): Promise<string | undefined> {
  const known = found.get(minor) ?? findPython(minor);
  found.set(minor, known);
  return known;
}

/**
 * Why `pythonVenv` cannot work on this machine, for a skipped suite's title; `undefined` when it can.
 * @param minor the oldest version that will do: 10 is Python 3.10.
 */
export async function pythonMissing(minor = defaultMinor): Promise<string | undefined> {
  return (await python(minor)) === undefined
    ? `needs Python 3.${minor} or newer with venv and pip (Debian: apt-get install python3-venv)`
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
 * @param minor the oldest version that will do: 10 is Python 3.10.
 * @throws when this machine has no usable Python (`pythonMissing` says so before), or pip fails.
 */
export async function pythonVenv(requirements: readonly string[], minor = defaultMinor): Promise<PythonVenv> {
  const base = await python(minor);
  if (base === undefined) throw new Error(`${await pythonMissing(minor)}`);
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
