import { describe, expect, test } from "vitest";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryObjectStore, memoryRecordStore, memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import { storeRawSnapshot } from "../../../../test/fakes/raw-snapshot.ts";
import { writeRun } from "../../../../test/fakes/run-fixture.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { Found } from "./found.ts";
import { episodesOfRun, episodesOfSnapshot } from "./inputs.ts";
import { episodesOfLines } from "./read-files.ts";

const place = { source: "prod", snapshotId: "snap_1" };
const task = { id: "t1", prompt: "Buy the book", url: "https://shop.test:8443/start" };
const page = (url: string, html = "<p>x</p>") => ({ current_url: url, current_html: html });

async function solutionsOf(
  solutions: object[],
  objects = memoryObjectStore(),
  of: object = task,
): Promise<Found[]> {
  await storeRawSnapshot(objects, place, [{ task: of, solutions }]);
  return gather(episodesOfSnapshot(place, objects));
}

async function episodeOf(solution: object, of: object = task) {
  const [found] = await solutionsOf([solution], undefined, of);
  if (found === undefined || "problem" in found) throw new Error(`put aside: ${JSON.stringify(found)}`);
  return found.episode;
}

async function problemOf(solution: object): Promise<string> {
  const [found] = await solutionsOf([solution]);
  return found !== undefined && "problem" in found ? found.problem.kind : "none";
}

const passed = { status: "passed", score: 1 };

describe("a production solution", () => {
  test("recorded as an execution history is an episode with its pages, events and checks", async () => {
    const history = [0, 1].map((iteration) => ({
      action: { type: "DoubleClickAction", selector: { type: "tagContainsSelector", value: "Buy" }, x: 3 },
      action_event: "Click",
      successfully_executed: true,
      execution_time: 0.5,
      browser_snapshot: {
        iteration,
        ...page("https://shop.test/p"),
        prev_html: "<p>before</p>",
        backend_events: [{ event_name: "ordered", payload: { id: 1 }, timestamp: 2.5 }],
      },
    }));
    const checks = [
      { name: "backend_event:ordered", passed: true },
      { name: "dom:buy_clicked", passed: false, value: "#buy" },
    ];
    const episode = await episodeOf({
      id: 7,
      execution_history: history,
      evaluation: { status: "partial", score: 0.5, checks },
    });
    expect(episode).toMatchObject({
      episode_id: "prod/7",
      task_id: "t1",
      project_id: "shop.test:8443",
      instruction: "Buy the book",
      browser: true,
      decided_by: "claim",
      final_score: 0.5,
      evaluation_tests: [
        { name: "backend_event:ordered", success: true },
        { name: "dom:buy_clicked", success: false },
      ],
      checks: [{ name: "backend_event:ordered" }, { name: "dom:buy_clicked", value: "#buy" }],
    });
    const [{ action_result: result, index } = { action_result: undefined }] = episode.steps;
    expect(index).toBe(0);
    expect(result).toMatchObject({
      action: { kind: "double_click", args: { x: 3 } },
      action_event: "Click",
      browser_snapshot: {
        iteration: 0,
        prev_html: "<p>before</p>",
        backend_events: [{ event_name: "ordered" }],
      },
    });
  });

  test("recorded as actions beside snapshots and screenshots has each at its step", async () => {
    const episode = await episodeOf({
      id: "s",
      artifacts: {
        steps: [
          { action: "click", selector: "#buy" },
          { action: "type", text: "Ada" },
        ],
        snapshots: [
          { url: "https://shop.test/1", html: "<p>1</p>" },
          { url: "https://shop.test/2", html: "<p>2</p>" },
        ],
        screenshots: ["shot-0", "shot-1", "shot-2"],
        backend_events: [{ name: "ordered", data: { id: 1 } }],
      },
      evaluation: passed,
    });
    const snapshots = episode.steps.map(({ action_result: result }) => result.browser_snapshot);
    expect(snapshots).toEqual([
      {
        ...page("https://shop.test/1", "<p>1</p>"),
        iteration: 0,
        action: { kind: "click", args: { selector: "#buy" } },
        prev_html: "",
        screenshot_before: "shot-0",
        screenshot_after: "shot-1",
      },
      {
        ...page("https://shop.test/2", "<p>2</p>"),
        iteration: 1,
        action: { kind: "type", args: { text: "Ada" } },
        prev_html: "<p>1</p>",
        screenshot_before: "shot-1",
        screenshot_after: "shot-2",
        backend_events: [{ event_name: "ordered", payload: { id: 1 } }],
      },
    ]);
  });

  test("of actions alone, or of calls of tools, is an episode without a browser", async () => {
    const actions = await episodeOf({
      id: "a",
      actions: [{ type: "ClickAction", x: 1, y: 2 }],
      evaluation: passed,
    });
    expect(actions).toMatchObject({
      browser: false,
      steps: [{ action_result: { action: { kind: "click" } } }],
    });
    const steps = [
      { tool: "bash", arguments: { command: "ls" }, observation: "a.txt" },
      { message: "Done." },
    ];
    const tools = await episodeOf({ id: "b", steps, evaluation: passed });
    expect(tools).toMatchObject({
      browser: false,
      steps: [
        {
          index: 0,
          observation: "a.txt",
          action_result: { action: { kind: "bash", args: { command: "ls" } } },
        },
        { index: 1, action_result: { action: { kind: "message", args: { text: "Done." } } } },
      ],
    });
    expect(tools.steps[0]?.action_result.browser_snapshot).toMatchObject({
      current_html: "",
      current_url: "",
    });
  });

  test("has the share of its checks as score where the source gives none", async () => {
    const actions = [{ type: "ClickAction" }];
    const checks = [true, true, false, true].map((is, at) => ({ name: `dom:${at}`, passed: is }));
    const episode = await episodeOf({ id: "a", actions, evaluation: { status: "partial", checks } });
    expect(episode.final_score).toBe(0.75);
    const results = {
      final_score: 0.25,
      raw_score: 0.5,
      test_results: [{ success: true }, { success: false }],
    };
    const iwa = await episodeOf({ id: "b", actions, evaluation: { status: "failed", ...results } });
    expect(iwa).toMatchObject({
      final_score: 0.25,
      raw_score: 0.5,
      evaluation_tests: [{ success: true }, { success: false }],
    });
  });

  test("without a score is put aside, and is no zero", async () => {
    const actions = [{ type: "ClickAction" }];
    expect(await problemOf({ id: "a", actions })).toBe("no-final-score");
    expect(await problemOf({ id: "a", actions, evaluation: { status: "failed" } })).toBe("no-final-score");
    const open = { status: "partial", checks: [{ name: "dom:a", passed: true }, { name: "dom:b" }] };
    expect(await problemOf({ id: "a", actions, evaluation: open })).toBe("no-final-score");
    expect(await problemOf({ id: "a", actions, evaluation: { status: "evaluating", score: 0 } })).toBe(
      "not-evaluated",
    );
  });

  test("with holes in its recording is put aside with what is missing", async () => {
    const step = (index: number, snapshot?: object) => ({
      index,
      action: "click",
      browser_snapshot: snapshot,
    });
    const history = (...steps: object[]) => ({ id: "a", execution_history: steps, evaluation: passed });
    const some = page("https://shop.test");
    expect(await problemOf(history(step(0, some), step(2, some)))).toBe("missing-steps");
    expect(await problemOf(history(step(2, some), step(3, some)))).toBe("missing-steps");
    expect(await problemOf(history(step(1, some), step(2, some)))).toBe("none");
    expect(await problemOf(history(step(0, some), step(0, some)))).toBe("repeated-steps");
    expect(await problemOf(history(step(0, some), step(1)))).toBe("missing-snapshot");
    expect(await problemOf({ id: "a", steps: [], evaluation: passed })).toBe("no-steps");
    expect(await problemOf({ id: "a", evaluation: passed })).toBe("invalid");
    expect(await problemOf(history({ index: 0, action: { type: 5 } }))).toBe("invalid");
  });

  test("whose pages were too long for their row has them back", async () => {
    const objects = memoryObjectStore();
    const html = `<p>${"long ".repeat(1_000)}</p>`;
    const text = JSON.stringify(html);
    await objects.put(objectKeys.artifact(sha256Hex(text)), Buffer.from(text));
    const snapshot = {
      current_url: "https://shop.test",
      current_html: `artifact:${sha256Hex(text)};application/json`,
    };
    const solution = {
      id: "a",
      execution_history: [{ action: "click", browser_snapshot: snapshot }],
      evaluation: passed,
    };
    const [found] = await solutionsOf([solution], objects);
    if (found === undefined || "problem" in found) throw new Error("put aside");
    expect(found.episode.steps[0]?.action_result.browser_snapshot.current_html).toBe(html);
  });
});

test("trials of ours are episodes with their verified reward; those without one, or not ended, are put aside", async () => {
  const deps = { objects: memoryObjectStore(), records: memoryRecordStore(), scratch: memoryScratch() };
  const runId = await writeRun({ trials: 20, open: 2 }, deps);
  const found = await gather(episodesOfRun(runId, deps));
  const problems = found.flatMap((one) => ("problem" in one ? [one.problem.kind] : []));
  const episodes = found.flatMap((one) => ("problem" in one ? [] : [one.episode]));
  expect(problems.filter((kind) => kind === "no-final-score")).toHaveLength(4);
  expect(problems.filter((kind) => kind === "not-ended")).toHaveLength(2);
  expect(episodes).toHaveLength(16);
  expect(new Set(episodes.map(({ final_score: score }) => score))).toEqual(new Set([0, 0.5, 1]));
  for (const episode of episodes) {
    expect(episode).toMatchObject({ browser: false, decided_by: "tests" });
    expect(episode.group).toMatch(/^group-/);
    expect(episode.steps.length).toBeGreaterThan(0);
  }
});

test("lines of a file that are no episode are put aside with their place", async () => {
  const lines = async function* () {
    for (const [at, text] of [
      '{"episode_id": "a"',
      "",
      "  ",
      '{"episode_id": "a", "steps": 3}',
      "[]",
      `{"episode_id": "a", "steps": ${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
    ].entries()) {
      yield { file: "eps.jsonl", line: at + 1, text };
    }
  };
  const found = await gather(episodesOfLines(lines()));
  expect(found.map((one) => "problem" in one && [one.problem.kind, one.problem.origin])).toEqual([
    ["invalid", { kind: "file", file: "eps.jsonl", line: 1 }],
    ["invalid", { kind: "file", file: "eps.jsonl", line: 4 }],
    ["invalid", { kind: "file", file: "eps.jsonl", line: 5 }],
    ["invalid", { kind: "file", file: "eps.jsonl", line: 6 }],
  ]);
});
