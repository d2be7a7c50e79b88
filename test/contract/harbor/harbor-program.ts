import { execFile } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Harbor on this machine: its installation takes minutes and 400 MB, so tests do not make one. */
export interface HarborProgram {
  /** The `harbor` command. */
  command: string;
  /** The interpreter that it runs on. */
  python: string;
  /** Keeps it from looking for prices on the network. */
  env: Record<string, string>;
}

/** Harbor 0.24 or newer, from the PATH; `undefined` when there is none. */
export async function findHarbor(): Promise<HarborProgram | undefined> {
  const env = { LITELLM_LOCAL_MODEL_COST_MAP: "True" };
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const command = join(folder, "harbor");
    const [first = ""] = (await readFile(command, "utf8").catch(() => "")).split("\n");
    const python = /^#!(\S+python\S*)/.exec(first)?.[1];
    if (python === undefined) continue;
    const version = await run(python, ["-c", versionScript]).catch(() => undefined);
    if (version !== undefined) return { command: await realpath(command), python, env };
  }
  return undefined;
}

const versionScript = `
from importlib.metadata import version
major, minor = version("harbor").split(".")[:2]
assert (int(major), int(minor)) >= (0, 24)
`;
