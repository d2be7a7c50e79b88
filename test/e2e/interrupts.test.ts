import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, showTrials, startTracemill, userMachine } from "./tracemill.ts";

/** Starts a run of one trial at a time, and sends it `SIGINT` as often as given once an attempt is at work. */
async function interrupted(pausesMs: readonly number[]) {
  const machine = await userMachine();
  const spec = join(machine.dir, "slow.yaml");
  const task = join(repository, "examples/tasks/sort-words");
  await writeFile(
    spec,
    `name: slow\ntasks: [${task}]\nagents: [{ name: oracle }]\nattempts: 60\nconcurrency: 1\n`,
  );
  const { child, finished } = startTracemill(machine, ["run", spec, "--json"]);
  await new Promise<void>((begun) => {
    child.stdout?.on("data", (text: string) => {
      if (text.includes("attempt-started")) begun();
    });
  });
  for (const pause of pausesMs) {
    await new Promise((passed) => setTimeout(passed, pause));
    child.kill("SIGINT");
  }
  return { machine, result: await finished };
}

test("one Ctrl-C that arrives twice, from the terminal and through npm, is one: what is in flight is finished", async () => {
  const { machine, result } = await interrupted([0, 20]);
  await using _ = machine;
  expect(result).toMatchObject({ code: 130, stderr: expect.not.stringContaining("stopping at once") });
  const outcomes = (await showTrials(machine)).flatMap(({ attempts }) =>
    attempts.map(({ outcome }) => outcome),
  );
  expect(outcomes.every((outcome) => outcome === "scored")).toBe(true);
});
