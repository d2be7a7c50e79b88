/**
 * How long a function's start takes on this machine: Node imports each bundle in a process of its own, five times,
 * and the median of the import is printed, with the bundle's size. Lambda adds its own start of Node; with less than
 * 1,769 MB it also gives less than one CPU, and the import takes that much longer.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bundleHandlers } from "../test/bundles.ts";

const run = promisify(execFile);
const times = 5;

async function importMs(path: string): Promise<number> {
  const program = `const from = performance.now(); await import(${JSON.stringify(path)}); console.log(performance.now() - from)`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", program], { env: {} });
  return Number(stdout);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const dir = await mkdtemp(join(tmpdir(), "tracemill-cold-start-"));
try {
  const bundles = await bundleHandlers(dir);
  process.stdout.write(`${"function".padEnd(16)} ${"kB".padStart(6)} ${"import ms".padStart(10)}\n`);
  for (const { name, path, bytes } of bundles) {
    // The export's native library lies beside its bundle in a deployment, and not here.
    if (name === "export-small") continue;
    const samples: number[] = [];
    for (let turn = 0; turn < times; turn += 1) samples.push(await importMs(path));
    const kilobytes = (bytes / 1_000).toFixed(0);
    process.stdout.write(
      `${name.padEnd(16)} ${kilobytes.padStart(6)} ${median(samples).toFixed(0).padStart(10)}\n`,
    );
  }
} finally {
  await rm(dir, { recursive: true });
}
