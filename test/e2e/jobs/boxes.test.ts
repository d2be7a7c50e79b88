import { readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonMissing } from "../../emulators/venv.ts";
import { ecsTasks } from "../../fakes/ecs-task.ts";
import { type Cloud, openCloud, runJobs, slowTask, startRun, writeFolder } from "./cloud.ts";
import { outcomesOf, shardRecordOf, shardsOf } from "./trials.ts";

const missing = process.platform === "linux" ? await pythonMissing() : "boxes are namespaces of Linux here";
const title = missing === undefined ? "jobs with boxes" : `jobs with boxes (skipped: ${missing})`;

const dockerfile = "FROM debian:bookworm\nWORKDIR /app\n";

describe.skipIf(missing !== undefined)(title, () => {
  let cloud: Cloud;
  let tasks: ReturnType<typeof ecsTasks>;
  beforeAll(async () => {
    cloud = await openCloud();
    tasks = ecsTasks({ home: join(cloud.dir, "ecs") });
  }, 300_000);
  afterAll(() => cloud?.[Symbol.asyncDispose]());

  /** Runs a job in a task with so many containers of the environment's image beside it. */
  async function jobWithBoxes(boxes: number, stage: string, runId: string, target: string) {
    const environment = { files: [], env: {}, dockerfile, buildTimeoutSec: 120 };
    const task = await tasks.start({ environment }, boxes);
    try {
      forOtherProcesses(task.dir);
      const env = { TRACEMILL_BOXES_DIR: task.dir, TRACEMILL_LAYERS_DIR: task.layersDir };
      const [done] = await runJobs(cloud, { stage, runId, target, env });
      return done?.lines.find(({ message }) => message === "shard-done");
    } finally {
      await task.stop();
    }
  }

  test("use each for one attempt, and leave what is left to the next job", async () => {
    const folder = join(cloud.dir, "tasks");
    for (const name of ["one", "two", "three"]) {
      const files = slowTask(name, 0);
      const toml = `${files["task.toml"]}[environment]\nnetwork_mode = "public"\n`;
      await writeFolder(join(folder, name), { ...files, "task.toml": toml });
    }
    const spec = {
      name: "boxes",
      tasks: [folder],
      agents: [{ name: "oracle" }],
      sandbox: "job",
      concurrency: 2,
    };
    const runId = await startRun(cloud, spec);
    await runJobs(cloud, ...["ingest", "prepare", "plan"].map((stage) => ({ stage, runId })));
    const [shard, ...others] = await shardsOf(runId, cloud);
    if (shard === undefined || others.length > 0) throw new Error("one shard was to be planned");
    const { shardId } = shard;
    expect(await jobWithBoxes(2, "trace", runId, shardId)).toMatchObject({ traced: 2, skipped: 1 });
    expect(await jobWithBoxes(2, "trace", runId, shardId)).toMatchObject({ traced: 3, skipped: 0 });
    expect(await jobWithBoxes(4, "evaluate", runId, shardId)).toMatchObject({ ended: 3 });
    expect(await outcomesOf(runId, shard, cloud)).toEqual(["scored", "scored", "scored"]);
    expect((await shardRecordOf(runId, shard, cloud))?.tally).toMatchObject({ ended: 3, attempts: 3 });
  });
});

/** The boxes' volumes are held open by this process; a job is another one. */
function forOtherProcesses(dir: string): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    const target = readlinkSync(path).replace("/proc/self/", `/proc/${process.pid}/`);
    rmSync(path);
    symlinkSync(target, path);
  }
}
