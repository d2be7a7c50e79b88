import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { compare, missing, report } from "./report.ts";
import { openBenchWorld, runTrials } from "./world.ts";

const trials = 200;
const concurrency = 4;
const plainRuns = 40;
const doors = 20;

/** Oracle trials of a one-line task in namespaces: two sandboxes each, one for the agent, one for the tests. */
export async function benchSandbox(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    const sandboxes = namespaceSandboxes({ dir: join(dir, "sandboxes"), cacheDir: join(dir, "cache") });
    await using world = await openBenchWorld(dir, sandboxes);
    await runTrials(world.deps, "oracle", "warm", 10, concurrency);
    const startedAt = performance.now();
    await runTrials(world.deps, "oracle", "a", trials, concurrency);
    const seconds = (performance.now() - startedAt) / 1_000;
    report(`oracle trials in namespaces (${concurrency} at once)`, trials / seconds, "trials/s", {
      atLeast: 20,
    });
    const sandboxMs = (seconds * 1_000 * Math.min(concurrency, 2)) / (2 * trials);
    comparePlain("a sandbox of a trial, all included, per core", sandboxMs);
    report("a door into a sandbox", await doorMs(sandboxes), "ms", { atMost: 60 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** What it takes to listen inside a sandbox without a network. */
async function doorMs(sandboxes: SandboxProvider): Promise<number> {
  const sandbox = await sandboxes.create({
    environment: { files: [], env: {}, buildTimeoutSec: 60 },
    limits: {},
    network: "none",
    label: "bench",
  });
  const startedAt = performance.now();
  for (let door = 0; door < doors; door += 1) await sandbox.listen((connection) => connection.destroy());
  const ms = (performance.now() - startedAt) / doors;
  await sandbox.close();
  return ms;
}

/** The same work by hand: a fresh place, one command, its end. */
const plain: Record<string, readonly string[]> = {
  unshare: ["unshare", "-Urmpinuf", "--mount-proc", "true"],
  bwrap: ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"],
  docker: ["docker", "run", "--rm", "--network", "none", "debian:bookworm", "true"],
};

function comparePlain(what: string, ours: number): void {
  for (const [name, [command = "", ...args]] of Object.entries(plain)) {
    if (spawnSync(command, args).status !== 0) {
      missing(`${what}: ${name}`, "it does not run here");
      continue;
    }
    const startedAt = performance.now();
    for (let run = 0; run < plainRuns; run += 1) spawnSync(command, args);
    compare(what, ours, (performance.now() - startedAt) / plainRuns, "ms", name);
  }
}
