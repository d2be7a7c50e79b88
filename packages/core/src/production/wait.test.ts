import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { fastClock } from "../../../../test/fakes/fast-clock.ts";
import { startProductionApi } from "../../../../test/servers/production-api.ts";
import { testClient } from "../../../../test/servers/production-client.ts";
import { waitUntilEvaluated } from "./wait.ts";

const startApi = (evaluations: string[]) =>
  startProductionApi({
    tasks: [],
    solutions: { t1: [{ id: "s1", agent: "a" }] },
    quirks: { writes: { evaluations } },
  });

const clientFor = (url: string) => (signal: AbortSignal) => testClient(url, {}, { signal }).client;

test("waits until the evaluation is over, and tells each status once", async () => {
  await using api = await startApi(["pending", "pending", "evaluating", "passed"]);
  const seen: string[] = [];
  const client = clientFor(api.url);
  const deps = { client, clock: fastClock(1_000), onStatus: (status: string) => seen.push(status) };
  const solution = await waitUntilEvaluated("s1", 600_000, deps);
  expect(solution).toMatchObject({ id: "s1", evaluation: { status: "passed" } });
  expect(seen).toEqual(["pending", "evaluating", "passed"]);
});

test("gives up at the deadline with the last status and the command that goes on", async () => {
  await using api = await startApi(["evaluating"]);
  const client = clientFor(api.url);
  await expect(waitUntilEvaluated("s1", 60_000, { client, clock: fastClock(1_000) })).rejects.toMatchObject({
    code: "timeout",
    message: "solution s1 is still evaluating at the deadline; wait again with `tracemill prod wait s1`",
  });
});

test("keeps to the deadline when the clock is set back or forth", async () => {
  await using api = await startApi(["evaluating"]);
  const client = clientFor(api.url);
  let jumps = 0;
  const clock = {
    now: () => (jumps++ % 2 === 0 ? 0 : Date.UTC(2100, 0, 1)),
    sleep: async (ms: number, signal?: AbortSignal) => {
      await sleep(ms / 1_000, undefined, signal === undefined ? {} : { signal });
    },
  };
  await expect(waitUntilEvaluated("s1", 30_000, { client, clock })).rejects.toMatchObject({
    code: "timeout",
  });
});

test("says that there is no such solution", async () => {
  await using api = await startApi([]);
  const client = clientFor(api.url);
  await expect(waitUntilEvaluated("s9", 600_000, { client, clock: fastClock(100) })).rejects.toMatchObject({
    code: "not-found",
  });
});

test("stops when it is stopped", async () => {
  await using api = await startApi(["pending"]);
  const client = clientFor(api.url);
  const signal = AbortSignal.timeout(20);
  await expect(
    waitUntilEvaluated("s1", 600_000, { client, clock: fastClock(100), signal }),
  ).rejects.toThrow();
});

test("leaves no request behind at the deadline", async () => {
  let asked: AbortSignal | undefined;
  const client = (signal: AbortSignal) => {
    asked = signal;
    return { solution: () => new Promise<never>(() => undefined) };
  };
  await expect(waitUntilEvaluated("s1", 1_000, { client, clock: fastClock(100) })).rejects.toMatchObject({
    code: "timeout",
    message: "solution s1 is still unknown at the deadline; wait again with `tracemill prod wait s1`",
  });
  expect(asked?.aborted).toBe(true);
});
