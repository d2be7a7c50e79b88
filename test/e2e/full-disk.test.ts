import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

const isRoot = process.geteuid?.() === 0;

/** A small disk of its own for a test; mounting one wants root. */
function smallDisk(path: string, size: string): Disposable {
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]);
  return { [Symbol.dispose]: () => execFileSync("umount", ["-l", path]) };
}

/** Fills a disk but for `spare` bytes. @returns the file to delete again. */
function fill(path: string, spare: number): string {
  const file = join(path, "filler");
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - spare)));
  return file;
}

test.skipIf(!isRoot)(
  "a full disk stops a run with the reason, nothing is scored wrongly, and it goes on once there is room (skipped without root)",
  async () => {
    await using machine = await userMachine();
    using _disk = smallDisk(machine.home, "128m");
    const task = join(repository, "examples/tasks/sort-words");
    const spec = `name: full\ntasks: [${task}]\nagents: [{ name: oracle }]\nattempts: 60\nconcurrency: 2\n`;
    await writeFile(join(machine.dir, "full.yaml"), spec);
    await tracemill(machine, "runs");
    const filler = fill(machine.home, 65 * 1024 ** 2);
    const stopped = await tracemill(machine, "run", "full.yaml");
    expect(stopped.code).toBe(1);
    expect(stopped.stderr).toMatch(/no space|disk is full|full/i);
    expect(stopped.stderr).not.toMatch(/^\s+at /m);
    rmSync(filler);
    const kept = await showTrials(machine);
    expect(kept.filter(({ reward }) => reward === 0)).toEqual([]);
    expect(await tracemill(machine, "run", "--resume", "latest")).toMatchObject({ code: 0 });
    const trials = await showTrials(machine);
    expect(trials.map(({ outcome, reward }) => [outcome, reward])).toEqual(Array(60).fill(["scored", 1]));
  },
);
