import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ShardRecord } from "@tracemill/core/run/shard-record.ts";
import { describe, expect, test } from "vitest";
import { repository } from "../e2e/tracemill.ts";
import { missing, openCloud } from "./cloud.ts";
import { slowTask } from "./slow-task.ts";
import { cloudUser, runIn } from "./user.ts";

const server = join(repository, "test/servers/openai-server.ts");

const spec = `name: served
tasks: [./tasks]
agents: [{ name: tools, model: acme/tiny }]
attempts: 3
concurrency: 3
models:
  acme/tiny:
    command: [${process.execPath}, ${server}, --port, "{port}", --model, "{model}", --load-ms, "300"]
export: { name: served, formats: [trials], splits: { train: 1 } }
`;

describe.skipIf(missing !== undefined)(`a model that a job serves${missing ? ` (${missing})` : ""}`, () => {
  test("is started by the GPU job and answers all trials of its shard", async () => {
    const cloud = await openCloud();
    await using user = await cloudUser(cloud);
    await slowTask(user.dir, 0);
    await writeFile(join(user.dir, "spec.yaml"), spec);
    const run = await runIn(user, "run", "spec.yaml");
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining("outcomes: 3 scored") });
    const jobs = (await cloud.control.jobs()).filter(({ jobName }) => jobName.startsWith(`tm-${run.runId}`));
    const trace = jobs.filter(({ jobName }) => jobName.endsWith("-trace"));
    expect(trace).toHaveLength(1);
    expect(trace[0]?.jobQueue).toBe(cloud.stack.jobs.gpu?.queue);
    const [shard] = await Array.fromAsync(cloud.records.query(`run#${run.runId}`, { prefix: "shard#" }));
    const { tally } = ShardRecord.parse(shard?.data);
    expect(tally.usage.completionTokens).toBeGreaterThan(0);
  });
});
