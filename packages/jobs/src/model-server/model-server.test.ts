import { join, resolve } from "node:path";
import { ResolvedRunSpec, type ServedModel } from "@tracemill/core/run/spec.ts";
import { describe, expect, test } from "vitest";
import { fastClock } from "../../../../test/fakes/fast-clock.ts";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { jsonLog } from "../log.ts";
import { startModelServer } from "./model-server.ts";

const program = resolve(import.meta.dirname, "../../../../test/servers/openai-server.ts");

/** Minutes are seconds. */
const clock = fastClock(60);

function served(options: readonly string[], parts: Record<string, unknown> = {}): ServedModel {
  const command = [process.execPath, program, "--port", "{port}", "--model", "{model}", ...options];
  const { models } = ResolvedRunSpec.parse({
    name: "t",
    sandbox: "namespace",
    tasks: ["."],
    agents: [{ name: "oracle" }],
    models: { m: { command, ...parts } },
  });
  return models.m as ServedModel;
}

function world() {
  const lines: Record<string, unknown>[] = [];
  const log = jsonLog((line) => lines.push(JSON.parse(line) as Record<string, unknown>), Date.now);
  const stopping = new AbortController();
  const { signal } = stopping;
  const deps = { clock, fetch, log };
  const start = (model: ServedModel) =>
    startModelServer({ name: "acme/m", served: model, environment: process.env, signal }, deps);
  const count = (message: string) => lines.filter((line) => line.message === message).length;
  return { start, lines, stopping, signal, count };
}

async function ask(baseUrl: string, model: string): Promise<number> {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "abc" }] });
  const answer = await fetch(`${baseUrl}/chat/completions`, { method: "POST", body });
  await answer.text();
  return answer.status;
}

async function isUp(baseUrl: string): Promise<boolean> {
  return fetch(`${baseUrl}/models`).then(
    () => true,
    () => false,
  );
}

describe("the model of a shard", () => {
  test("is served once it is loaded, and its server is gone afterwards", async () => {
    const { start, lines, signal } = world();
    let baseUrl: string;
    {
      await using server = await start(served(["--load-ms", "1200"]));
      const endpoint = await server.endpoint(signal);
      ({ baseUrl } = endpoint);
      expect(endpoint).toEqual({
        baseUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/v1$/),
        model: "acme/m",
      });
      expect(await ask(baseUrl, "acme/m")).toBe(200);
    }
    expect(await isUp(baseUrl)).toBe(false);
    expect(lines.map(({ message }) => message)).toEqual([
      "model-server-starting",
      "model-loading",
      "model-loading",
      "model-server-up",
    ]);
    expect(lines[1]).toMatchObject({
      elapsedSeconds: expect.any(Number) as unknown,
      lastLine: expect.any(String) as unknown,
    });
  });

  test("may have another name for its server than for agents", async () => {
    const { start, signal } = world();
    await using server = await start(served([], { model: "weights-7b" }));
    const { baseUrl, model } = await server.endpoint(signal);
    expect(model).toBe("weights-7b");
    expect(await ask(baseUrl, "weights-7b")).toBe(200);
  });

  test("is started again when its server dies; who asks for it meanwhile waits", async () => {
    await using dir = await tempDir();
    const { start, lines, signal, count } = world();
    await using server = await start(served(["--die-after", "2", "--lives-file", join(dir.path, "lives")]));
    const first = await server.endpoint(signal);
    expect(await ask(first.baseUrl, first.model)).toBe(200);
    await expect(ask(first.baseUrl, first.model)).rejects.toThrow();
    await expect.poll(() => count("model-server-died")).toBe(1);
    const second = await server.endpoint(signal);
    expect(second).toEqual(first);
    for (let turn = 0; turn < 3; turn += 1) expect(await ask(second.baseUrl, second.model)).toBe(200);
    expect(count("model-server-up")).toBe(2);
    const death = lines.find(({ message }) => message === "model-server-died");
    expect(death).toMatchObject({ level: "warn", reason: "it ended with exit code 1" });
    expect(JSON.stringify(death?.lines)).toContain("illegal memory access");
  });

  test("is started again when its server is there but of no use", async () => {
    await using dir = await tempDir();
    const { start, signal, count } = world();
    await using server = await start(served(["--sick-after", "1", "--lives-file", join(dir.path, "lives")]));
    const first = await server.endpoint(signal);
    expect(await ask(first.baseUrl, first.model)).toBe(500);
    await expect.poll(() => count("model-server-died"), { timeout: 10_000 }).toBe(1);
    const second = await server.endpoint(signal);
    expect(await ask(second.baseUrl, second.model)).toBe(200);
    expect(count("model-server-up")).toBe(2);
  });

  test("is given up after three restarts, with the end of its log", async () => {
    const { start, signal, count } = world();
    await using server = await start(served(["--die-after", "1"]));
    for (let life = 0; life < 4; life += 1) {
      const { baseUrl, model } = await server.endpoint(signal);
      await expect(ask(baseUrl, model)).rejects.toThrow();
      await expect.poll(() => count("model-server-died") + Number(server.failed.aborted)).toBe(life + 1);
    }
    await expect(server.endpoint(signal)).rejects.toMatchObject({
      code: "model-failed",
      message: expect.stringMatching(
        /^the server of model acme\/m \(.*\): it ended with exit code 1, after 3 restarts; its log ends: .*illegal memory/,
      ) as unknown,
    });
    expect(server.failed.aborted).toBe(true);
  });

  test("that cannot be loaded fails at once, with what its server said", async () => {
    const { start, count } = world();
    await expect(start(served(["--refuse"]))).rejects.toThrow(
      /it ended with exit code 1; its log ends: .*No CUDA GPUs are available/,
    );
    expect(count("model-server-starting")).toBe(1);
  });

  test("whose program is not there fails with its name", async () => {
    const { start } = world();
    const model = served([], { command: ["no-such-server", "{model}"] });
    await expect(start(model)).rejects.toThrow(/\(no-such-server\): it could not be started: .*ENOENT/);
  });

  test("that takes longer than it may is stopped", async () => {
    const { start } = world();
    await expect(start(served(["--load-ms", "60000"], { startTimeout: 30_000 }))).rejects.toThrow(
      /not up after 30 s \(`startTimeout`\); its log ends: .*listening on/,
    );
  });

  test("is not waited for any longer by who is told to stop", async () => {
    const { start, stopping } = world();
    const starting = start(served(["--load-ms", "60000"]));
    setTimeout(() => stopping.abort(new Error("told to stop")), 300);
    await expect(starting).rejects.toThrow(/aborted|told to stop/);
  });
});
