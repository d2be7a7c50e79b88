import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { TracemillError } from "@tracemill/core/errors.ts";
import { type Folder, pathIn } from "../namespace/open-folder.ts";
import { toolEnv } from "../namespace/tools.ts";
import { inVolume } from "./volume.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** Makes FIFOs in an open folder. Their names are ours; where the folder lies by now does not matter. */
export async function makeFifos(folder: Folder, names: readonly string[]): Promise<void> {
  // In the child, before it becomes another program, the folder is still open under this number.
  const child = spawn("mkfifo", ["-m", "666", "--", ...names], {
    cwd: `/proc/self/fd/${folder}`,
    env: toolEnv,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const code = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (exitCode) => resolve(exitCode ?? -1));
  });
  if (code === 0) return;
  throw new TracemillError("sandbox-failed", `mkfifo in a box's volume: ${said.trim() || code}`);
}

/**
 * Both ends of a FIFO, held by us until the box has opened its own: otherwise a reader would find the end before the
 * beginning, and a writer nobody to write to.
 */
export interface FifoEnds {
  reader: number;
  writer: number;
}

/** @throws TracemillError `sandbox-failed` when something in the box has put another thing in its place. */
export function openFifo(folder: Folder, name: string): FifoEnds {
  return inVolume(() => {
    const reader = openSync(pathIn(folder, name), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (fstatSync(reader).isFIFO())
      return { reader, writer: openSync(`/proc/self/fd/${reader}`, O_WRONLY | O_NONBLOCK) };
    closeSync(reader);
    throw new TracemillError("sandbox-failed", `something in the box has replaced ${name} of its volume`);
  });
}
