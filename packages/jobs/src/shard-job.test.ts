import { resolve } from "node:path";
import { createModelAccess } from "@tracemill/agents/models/access.ts";
import { isTracemillError } from "@tracemill/core/errors.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import { runStep } from "@tracemill/core/pipeline/stage-record.ts";
import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import { readShardRecord } from "@tracemill/core/run/progress.ts";
import { describe, expect, test } from "vitest";
import { fastClock } from "../../../test/fakes/fast-clock.ts";
import { pipelineWorld } from "../../../test/fakes/pipeline-world.ts";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { type Behaviour, writesAnswer } from "../../../test/fakes/trial-world.ts";
import { jsonLog } from "./log.ts";
import { runShardJob } from "./shard-job.ts";

const program = resolve(import.meta.dirname, "../../../test/servers/openai-server.ts");

/** Asks the model that is served beside it to spell the answer backwards. */
const asksModel: Behaviour = async (context, call) => writesAnswer(await ask(context))(context, call);

async function ask({ models, agent, signal }: AgentContext): Promise<string> {
  const client = await models.open(agent.model ?? "", { maxRetries: 0 });
  const answer = await client.complete({ messages: [{ role: "user", content: "24" }], tools: [], signal });
  return answer.text;
}

const models = createModelAccess(
  { providers: {}, prices: {}, modelCache: false },
  { secrets: { get: async () => undefined }, clock: fastClock(30), random: Math.random },
);

/** A shard of a planned run whose spec serves the model of its trials. */
async function shardWorld(options: readonly string[], spec: Record<string, unknown> = {}, agent = asksModel) {
  const command = [process.execPath, program, "--port", "{port}", "--model", "{model}", ...options];
  const world = await pipelineWorld({
    agent,
    models,
    spec: {
      agents: [{ name: "scripted", model: "acme/m" }],
      models: { "acme/m": { command } },
      attempts: 6,
      concurrency: 2,
      ...spec,
    },
  });
  const { deps, stopping } = world.process("worker", { clock: fastClock(30) });
  for (const step of ["prepare", "plan"] as const) await runStep(world.runId, step, {}, deps);
  const [shard] = (await readPlan(world.runId, world.objects)).shards;
  const target = shard?.shardId ?? "";
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog((line) => lines.push(JSON.parse(line) as Record<string, unknown>), Date.now);
  const { runId } = world;
  const run = (stage: "trace" | "evaluate") =>
    runShardJob(
      { runId, target, stage },
      { ...deps, fetch, job: { jobId: "job-1", logStream: "job/1" }, log, environment: process.env },
    );
  const record = async () => (await readShardRecord(runId, target, world.records))?.row;
  const count = (message: string) => lines.filter((line) => line.message === message).length;
  return { run, record, lines, count, stopping, calls: world.calls };
}

describe("a shard with a served model", () => {
  test("starts the server once for all its trials and says how fast it is", async () => {
    const { run, record, count, lines } = await shardWorld(["--load-ms", "300"]);
    expect(await run("trace")).toMatchObject({ traced: 6 });
    expect(count("model-server-starting")).toBe(1);
    expect(await record()).toMatchObject({
      tally: { traced: 6, usage: { completionTokens: 12 } },
      job: { jobId: "job-1", logStream: "job/1", tokensPerSecond: expect.any(Number) as unknown },
    });
    expect(await run("evaluate")).toMatchObject({ ended: 6 });
    expect(count("model-server-starting")).toBe(1);
    expect((await record())?.tally.outcomes).toEqual({ scored: 6 });
    expect(lines.at(-1)).toMatchObject({ message: "shard-done", ended: 6 });
  });

  test("whose server dies in the middle goes on with a new one", async () => {
    await using dir = await tempDir();
    const options = ["--die-after", "4", "--lives-file", `${dir.path}/lives`];
    const { run, record, count } = await shardWorld(options);
    expect(await run("trace")).toMatchObject({ traced: 6 });
    expect(count("model-server-up")).toBe(2);
    const { tally } = (await record()) ?? {};
    // Only what was in flight when it died is tried again.
    expect(tally?.outcomes["model-failed"]).toBeLessThanOrEqual(2);
    expect(tally?.traced).toBe(6);
  });

  test("whose server cannot stay up fails, and its trials are given back unharmed", async () => {
    const { run, record } = await shardWorld(["--die-after", "1"], { attempts: 2, retry: { max: 20 } });
    const error = await run("trace").catch((thrown: unknown) => thrown);
    expect(isTracemillError(error, "model-failed")).toBe(true);
    expect(String(error)).toMatch(/after 3 restarts; its log ends: .*illegal memory/);
    const { tally } = (await record()) ?? {};
    expect(tally).toMatchObject({ ended: 0, traced: 0 });
  });

  test("whose server does not load touches no trial", async () => {
    const { run, record, calls } = await shardWorld(["--refuse"]);
    await expect(run("trace")).rejects.toThrow("No CUDA GPUs are available");
    expect(calls.agent).toBe(0);
    expect(await record()).toBeUndefined();
  });

  test("that is told to stop stops its server too", async () => {
    const slow: Behaviour = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const { run, stopping, record, lines, count } = await shardWorld([], {}, slow);
    const running = run("trace");
    await expect.poll(() => count("attempt-started"), { timeout: 10_000 }).toBe(2);
    stopping.abort();
    expect(await running).toMatchObject({ traced: 0, skipped: 6 });
    expect((await record())?.tally.outcomes).toEqual({ cancelled: 2 });
    const { port } = lines.find(({ message }) => message === "model-server-starting") ?? {};
    await expect(fetch(`http://127.0.0.1:${String(port)}/health`)).rejects.toThrow();
  });
});

test("a shard whose model nobody serves here starts no server", async () => {
  const agent = writesAnswer("42");
  const { run, count } = await shardWorld([], { models: {} }, agent);
  expect(await run("trace")).toMatchObject({ traced: 6 });
  expect(count("model-server-starting")).toBe(0);
});
