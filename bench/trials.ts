import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execResult, inProcessSandboxes } from "../test/fakes/in-process-sandbox.ts";
import { liveMiB, note, report } from "./report.ts";
import { openBenchWorld, runTrials } from "./world.ts";

const trials = 10_000;
const concurrency = 8;

/** A sandbox without processes, whose tests always pass: what is left is the cost of the trial itself. */
const sandboxes = inProcessSandboxes({
  exec: (_command, _options, files) => {
    const path = "/logs/verifier/reward.txt";
    files.set(path, { path, content: "1" });
    return execResult();
  },
});

/** The cost of a trial beside its agent and its sandbox: leases, records, objects, on the real local stores. */
export async function benchTrials(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    await using world = await openBenchWorld(dir, sandboxes);
    const run = (prefix: string, count: number) => runTrials(world.deps, "nop", prefix, count, concurrency);
    await run("warm", 500);
    await run("a", trials / 5);
    const early = await liveMiB();
    const startedAt = performance.now();
    await run("b", trials);
    const overheadMs = (performance.now() - startedAt) / trials;
    report(`overhead of a trial (${trials} no-op trials)`, overheadMs, "ms", { atMost: 2 });
    const growth = Math.max(0.01, (await liveMiB()) - early);
    report("live memory: growth from 2,000 to 12,000 trials", growth, "MiB", { atMost: 8 });
    note("largest resident size of the process", process.resourceUsage().maxRSS / 1024, "MiB");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
