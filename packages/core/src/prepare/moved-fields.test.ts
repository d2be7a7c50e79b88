import { expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { storeRawSnapshot } from "../../../../test/fakes/raw-snapshot.ts";
import { readBody } from "../ingest/body/read-body.ts";
import { readPrepared } from "./catalog.ts";
import { prepareSnapshot } from "./prepare.ts";

const origin = { source: "prod", snapshotId: "snap_1" };
const output = Array.from({ length: 9_000 }, (_, index) => ({
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text: `turn ${index} ${"of many words ".repeat(10)}` }],
}));
const row = {
  task: {
    id: "t1",
    prompt: "What is the sum?",
    // As a task whose files came along.
    metadata: { notes: Array.from({ length: 60_000 }, (_, index) => `note ${index} of the task`) },
  },
  solutions: [
    {
      id: "s1",
      agent: "a",
      response: { output, expected_answer: "42" },
      evaluation: { status: "passed", score: 1 },
    },
    {
      id: "s2",
      messages: [
        { role: "user", content: "Go." },
        { role: "assistant", content: "x".repeat(2_000_000) },
      ],
    },
  ],
};

/** What a row is prepared into. `moved`: after its long values have gone to the store, as an ingest does it. */
async function prepared(moved: boolean) {
  const objects = memoryObjectStore();
  const artifacts = moved ? { objects, source: "prod" } : undefined;
  const text = await readBody(new Response(JSON.stringify({ results: [row.task, ...row.solutions] })), "", {
    artifacts,
  });
  const [task, ...solutions] = (JSON.parse(text) as { results: unknown[] }).results;
  await storeRawSnapshot(objects, origin, [{ task, solutions }]);
  const { counts, problems } = await prepareSnapshot(origin, { objects, clock: fakeClock() });
  const tasks = await Array.fromAsync(readPrepared(objects, "prod", "snap_1"));
  return { counts, problems, tasks, solutions };
}

test("a row whose long values were moved to the store is prepared as if they had not been", async () => {
  const { solutions, ...moved } = await prepared(true);
  expect(solutions).toEqual([
    expect.objectContaining({ moved_fields: { response: expect.stringMatching(/^artifact:/) } }),
    {
      id: "s2",
      messages: [expect.anything(), { role: "assistant", content: expect.stringMatching(/^artifact:/) }],
    },
  ]);
  const whole = await prepared(false);
  expect(moved.counts).toEqual({ rows: 1, harbor: 0, scenario: 1, references: 2 });
  expect(moved.problems).toEqual([]);
  expect(moved.tasks).toEqual(whole.tasks);
});

test("a solution whose recording is gone is a problem of its own, and the rest of the row stays", async () => {
  const objects = memoryObjectStore();
  const lost = { id: "s1", moved_fields: { steps: `artifact:${"0".repeat(64)};application/json` } };
  await storeRawSnapshot(objects, origin, [
    { task: row.task, solutions: [lost, { id: "s2", answer: "42" }] },
  ]);
  const { counts, problems } = await prepareSnapshot(origin, { objects, clock: fakeClock() });
  expect(counts).toMatchObject({ rows: 1, scenario: 1, references: 1 });
  expect(problems).toEqual([
    { taskId: "t1", solutionId: "s1", reason: expect.stringContaining("is not in the store") },
  ]);
});
