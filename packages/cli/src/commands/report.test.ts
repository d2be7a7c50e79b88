import { reportShard } from "@tracemill/core/pipeline/shard-report.ts";
import { setRunState } from "@tracemill/core/run/runs.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { plannedRunId, plannedSpec, writePlannedRun } from "../../../../test/fakes/planned-run.ts";
import { printed } from "../../../../test/fakes/printed.ts";
import { fixtureTrial } from "../../../../test/fakes/run-fixture.ts";
import { type TempDir, tempDir } from "../../../../test/fakes/temp-dir.ts";
import { openHome } from "../deps.ts";
import { reportCommand } from "./report.ts";
import { showCommand } from "./show.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await tempDir();
});
afterEach(() => dir[Symbol.asyncDispose]());

/** A run in the home: 60 trials of 20 tasks, or with `planned` one that goes on. */
async function runInHome(state: "finished" | "running", planned?: number): Promise<void> {
  const home = { ...(await openHome(dir.path)), clock: fakeClock() };
  const plan = await writePlannedRun({ ended: 60, ...(planned === undefined ? {} : { planned }) }, home);
  const finishedAt = "2026-01-01T02:00:00.000Z";
  if (state === "finished") await setRunState(plannedRunId, { status: state, finishedAt }, home.records);
  else
    for (const shard of plan.shards)
      await reportShard(shard, { ...home, runId: plannedRunId, spec: plannedSpec });
  await home.close();
}

describe("`report`", () => {
  test("says on one screen what each agent came to, failures beside the means", async () => {
    await runInHome("finished");
    const text = await printed(dir.path, reportCommand, "nightly");
    expect(text).toContain("20 tasks · 60 trials · 75 attempts · 2 pairs of task and agent left out");
    expect(text).toMatch(/^agent +trials +ended +rewarded +mean reward$/m);
    expect(text).toMatch(/^replay +30 +30 +24 +0\.375 ± 0\.\d{3}$/m);
    expect(text).toMatch(/^terminus\/openai\/gpt-test +45 +4500 +0 +900 +11\.25 /m);
    expect(text).toContain("without a reward, and in no mean: 12 environment-failed");
    expect(text).toMatch(/^27 +environment-failed +the image is not there +trl_/m);
    expect(text.split("\n").length).toBeLessThan(40);
  });

  test("by task and by group begins with the lowest mean and says how much more there is", async () => {
    await runInHome("finished");
    const byTask = await printed(dir.path, reportCommand, "--by", "task", "--limit", "3");
    expect(byTask).toMatch(/^task +trials +no reward +USD +mean +replay +terminus\/openai\/gpt-test$/m);
    expect(byTask.match(/^task-\d+/gm)).toHaveLength(3);
    expect(byTask).toContain("… 17 more");
    expect((await printed(dir.path, reportCommand, "--by", "group")).match(/^group-\d+/gm)).toHaveLength(10);
    await expect(printed(dir.path, reportCommand, "--by", "colour")).rejects.toMatchObject({
      code: "commander.invalidArgument",
    });
  });

  test("as JSON is one line with all of it", async () => {
    await runInHome("finished");
    const report = JSON.parse(await printed(dir.path, reportCommand, "--json"));
    expect(report).toMatchObject({ runId: plannedRunId, trials: 60, byTask: { total: 20 } });
    expect(report.byTask.rows).toHaveLength(20);
  });

  test("of a large run that goes on says what its shards know, and how to have the rest", async () => {
    await runInHome("running", 6_000);
    const text = await printed(dir.path, reportCommand);
    expect(text).toContain("6000 trials (60 ended)");
    expect(text).toMatch(/^replay +30 +24 +0\.375$/m);
    expect(text).toContain(`tracemill report ${plannedRunId} --every-trial`);
    expect(await printed(dir.path, reportCommand, "--every-trial")).toMatch(
      /^replay +30 +30 +24 +0\.375 ± /m,
    );
  });
});

describe("`show`", () => {
  test("lists the trials of a run in parts", async () => {
    await runInHome("finished");
    const first = await printed(dir.path, showCommand, "nightly", "--trials", "--limit", "25");
    expect(first.match(/^trl_/gm)).toHaveLength(25);
    expect(first).toContain("… more: --skip 25;");
    const rest = await printed(dir.path, showCommand, "nightly", "--trials", "--skip", "55");
    expect(rest.match(/^trl_\w+/gm)).toEqual(
      [55, 56, 57, 58, 59].map((index) => fixtureTrial(plannedRunId, index).trialId),
    );
    expect(rest).not.toContain("more:");
    const lines = (await printed(dir.path, showCommand, "nightly", "--json")).trim().split("\n");
    expect(lines).toHaveLength(60);
    expect(
      (await printed(dir.path, showCommand, "nightly", "--json", "--limit", "2")).trim().split("\n"),
    ).toHaveLength(2);
  });

  test("of a large run that goes on adds up its shards", async () => {
    await runInHome("running", 6_000);
    const text = await printed(dir.path, showCommand, "nightly");
    expect(text).toContain("6000 trials (60 ended)");
    expect(text).toContain("as its shards last reported");
  });

  test("finds a trial by the start of its id, and does not guess", async () => {
    await runInHome("finished");
    const { trialId } = fixtureTrial(plannedRunId, 4);
    const text = await printed(dir.path, showCommand, trialId.slice(0, 12));
    expect(text).toContain(`${trialId} attempt 1: task-1 · replay`);
    // Of its two attempts the fixture keeps the record of the second alone.
    const { trialId: twice } = fixtureTrial(plannedRunId, 3);
    const both = await printed(dir.path, showCommand, twice);
    expect(both).toContain(`${twice} attempt 2: task-1 · terminus`);
    expect(both).toMatch(/attempt 1: .*result\.json is missing/);
    await expect(printed(dir.path, showCommand, "trl_")).rejects.toMatchObject({ code: "invalid-input" });
    await expect(printed(dir.path, showCommand, "trl_zz")).rejects.toMatchObject({ code: "not-found" });
  });
});
