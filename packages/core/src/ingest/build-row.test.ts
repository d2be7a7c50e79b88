import { describe, expect, test } from "vitest";
import { buildRow, isSolutionSummary, isTaskSummary, withoutRepeats } from "./build-row.ts";
import { parseExact } from "./json.ts";

const fetchedAt = "2026-01-01T00:00:00.000Z";
const build = (task: Record<string, unknown>, solutions: unknown[]) =>
  buildRow({ taskId: "t1", task, solutions, fetchedAt });

describe("buildRow", () => {
  test("keeps every field and every number as the source wrote it", () => {
    const text = '{"id":"t1","prompt":"p","extra":{"x":1.0,"n":12345678901234567890}}';
    const built = build(parseExact(text) as Record<string, unknown>, []);
    expect(built).toEqual({
      kind: "row",
      line: `{"task":${text},"solutions":[],"fetched_at":"${fetchedAt}"}`,
      solutions: 0,
      rejects: [],
    });
  });

  test("an answer may be anything", () => {
    const answers = [{ fields: { name: "Ada" } }, ["a"], true, 4, "4", null];
    const solutions = answers.map((answer, index) => ({ id: `s${index}`, answer }));
    expect(build({ id: "t1" }, solutions)).toMatchObject({ kind: "row", solutions: 6, rejects: [] });
  });

  test("a solution that does not fit is put aside, the others stay", () => {
    const bad = { id: "s2", evaluation: { status: "splendid" } };
    const built = build({ id: "t1" }, [{ id: "s1" }, bad, { id: "s3" }]);
    expect(built).toMatchObject({ kind: "row", solutions: 2 });
    expect(built.rejects).toEqual([
      { kind: "solution", taskId: "t1", reason: expect.stringContaining("`evaluation.status`"), value: bad },
    ]);
  });

  test.each([
    ["a task that does not fit", { id: "t1", tags: "not a list" }, [{ id: "s1" }], "`task.tags`"],
    ["a task whose every solution does not fit", { id: "t1" }, [{ no: "id" }, 7], "`solutions.0.id`"],
  ])("%s is put aside with what it came with", (_name, task, solutions, reason) => {
    expect(build(task, solutions)).toEqual({
      kind: "rejected",
      rejects: [
        { kind: "task", taskId: "t1", reason: expect.stringContaining(reason), value: { task, solutions } },
      ],
    });
  });
});

test("an entry is a summary when it says nothing of its content", () => {
  expect(isTaskSummary({ id: "t", title: "x", status: "done", prompt: null })).toBe(true);
  expect(isTaskSummary({ id: "t", description: "x" })).toBe(false);
  expect(isSolutionSummary({ id: "s", agent: "x", score: 1 })).toBe(true);
  expect(isSolutionSummary({ id: "s", steps: [] })).toBe(false);
});

test("of solutions with one id the first stays", () => {
  const [a, b, noId] = [{ id: "1", n: 1 }, { id: 1, n: 2 }, { n: 3 }];
  expect(withoutRepeats([a, b, noId, noId])).toEqual([a, noId, noId]);
});
