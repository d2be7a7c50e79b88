import { expect, test } from "vitest";
import { datasetOf, showTrials, startTracemill, tracemill, userMachine } from "./tracemill.ts";

test("the demo goes from production activity to a dataset, and finds itself done the second time", async () => {
  await using machine = await userMachine();
  const first = await tracemill(machine, "demo");
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout).toMatch(/claims of the source: \d+ checked by a real run, [1-9]\d* did not hold/);
  const trials = await showTrials(machine);
  expect(trials.every(({ outcome }) => outcome === "scored" || outcome === "agent-failed")).toBe(true);
  const oracle = trials.filter(({ agent }) => agent === "oracle");
  expect(oracle.length).toBeGreaterThanOrEqual(20);
  expect(oracle.every(({ reward }) => reward === 1)).toBe(true);
  const { manifest } = await datasetOf(machine);
  expect(manifest.files.length).toBeGreaterThan(0);

  const second = await tracemill(machine, "demo");
  expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining("everything is done already") });
  expect(await showTrials(machine)).toEqual(trials);
});

test("a demo that is killed while it mirrors the API goes on with the same run", async () => {
  await using machine = await userMachine();
  const { child, finished } = startTracemill(machine, ["demo", "--json"]);
  child.stdout?.on("data", (text: string) => {
    if (text.includes('"stage":"ingest"') && text.includes('"done":1')) child.kill("SIGKILL");
  });
  const killed = await finished;
  expect(killed.signal).toBe("SIGKILL");
  expect(await tracemill(machine, "demo")).toMatchObject({ code: 0 });
  expect((await tracemill(machine, "runs")).stdout.match(/run_/g)).toHaveLength(1);
});
