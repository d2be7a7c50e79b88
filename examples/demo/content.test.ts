import { parseTrajectory } from "@tracemill/core/atif/trajectory.ts";
import { type PreparedRow, prepareRow } from "@tracemill/core/prepare/row.ts";
import { RawRow } from "@tracemill/core/production/schemas.ts";
import { readJson } from "@tracemill/core/stored-json.ts";
import { describe, expect, test } from "vitest";
import { memoryObjectStore } from "../../test/fakes/memory-stores.ts";
import { contentCatalog } from "./catalog.ts";
import { type DemoSolution, type DemoTask, readContent } from "./content.ts";
import { callOf } from "./forms.ts";

const content = await readContent();
const solutions = content.flatMap((task) => task.solutions);

/** The rows as the pipeline gets them, prepared. */
async function preparedRows(
  objects = memoryObjectStore(),
): Promise<{ task: DemoTask; prepared: PreparedRow }[]> {
  const origin = { source: "demo", snapshotId: "snap" };
  const catalog = contentCatalog(content);
  const rows = content.map(async (task) => {
    const row = {
      task: await catalog.task(task.id),
      solutions: await catalog.solutions(task.id),
      fetched_at: "",
    };
    const sent = RawRow.parse(JSON.parse(JSON.stringify(row)));
    return { task, prepared: await prepareRow(sent, origin, { objects, alone: (work) => work() }) };
  });
  return Promise.all(rows);
}

/** Whether the claim agrees with what a real run gives; undefined where nothing is claimed or decided. */
function isTrueClaim({ evaluation: { status }, reward }: DemoSolution): boolean | undefined {
  if (reward === undefined || status === "pending" || status === "evaluating") return undefined;
  if (status === "passed") return reward === 1;
  return status === "failed" ? reward === 0 : reward > 0 && reward < 1;
}

describe("the demo's content", () => {
  test("has enough of every kind, and ids that name one thing each", () => {
    const decided = content.filter((task) => task.verify !== undefined || task.harbor !== undefined);
    expect(decided.length).toBeGreaterThanOrEqual(24);
    expect(content.length - decided.length).toBeGreaterThanOrEqual(6);
    expect(solutions.length).toBeGreaterThanOrEqual(60);
    expect(new Set(content.map(({ id }) => id)).size).toBe(content.length);
    expect(new Set(solutions.map(({ id }) => id)).size).toBe(solutions.length);
    expect(new Set(solutions.map(({ form }) => form))).toEqual(
      new Set(["steps", "messages", "response", "trajectory", "answer"]),
    );
    expect(content.filter(({ packed }) => packed)).not.toEqual([]);
  });

  test("asks something in every task", () => {
    const mute = content.filter(
      (task) =>
        !task.prompt &&
        !task.messages &&
        !task.responses_create_params &&
        !task.harbor?.files?.["instruction.md"],
    );
    expect(mute).toEqual([]);
  });

  test("says of each false claim that it is one, and of no true claim", () => {
    const falseClaims = solutions.filter((solution) => isTrueClaim(solution) === false);
    expect(falseClaims.length).toBeGreaterThanOrEqual(5);
    expect(falseClaims.length).toBeLessThanOrEqual(7);
    expect(solutions.filter(({ note }) => note !== undefined)).toEqual(falseClaims);
  });

  test("has recorded observations for every call, some of them stale", () => {
    const steps = solutions.flatMap((solution) => solution.steps);
    expect(steps.filter((step) => callOf(step) !== undefined && step.observation === undefined)).toEqual([]);
    expect(steps.filter(({ stale }) => stale !== undefined).length).toBeGreaterThanOrEqual(2);
  });

  test("shows the API's users no note, no true reward and no mark", async () => {
    const catalog = contentCatalog(content);
    const shown = await Promise.all(
      content.map(({ id }) => Promise.all([catalog.task(id), catalog.solutions(id)])),
    );
    const keys = new Set<string>();
    JSON.stringify(shown, (key, value) => {
      keys.add(key);
      return value;
    });
    for (const hidden of ["note", "reward", "stale", "packed", "form"]) expect(keys).not.toContain(hidden);
    expect(JSON.stringify(shown)).not.toContain("Claimed passed, and wrong");
  });

  test("becomes tasks and trajectories without a problem", async () => {
    const rows = await preparedRows();
    expect(rows.flatMap(({ prepared }) => prepared.problems)).toEqual([]);
    for (const { task, prepared } of rows) {
      const isHarbor = task.verify !== undefined || task.harbor !== undefined;
      const decidedBy = isHarbor ? "tests" : task.expected_answer === undefined ? "none" : "answer";
      expect(prepared.task?.ref).toMatchObject({
        kind: isHarbor ? "harbor" : "scenario",
        decidedBy,
        group: task.group,
      });
      expect(prepared.task?.ref.references.map(({ solutionId }) => solutionId)).toEqual(
        task.solutions.map(({ id }) => id),
      );
    }
  });

  test("says the same in every form of a solution", async () => {
    const objects = memoryObjectStore();
    for (const { task, prepared } of await preparedRows(objects)) {
      for (const [index, { trajectoryKey }] of (prepared.task?.ref.references ?? []).entries()) {
        const own = parseTrajectory(await readJson(objects, trajectoryKey), task.id).steps.filter(
          ({ source }) => source === "agent",
        );
        const calls = own.flatMap((step) => step.tool_calls ?? []);
        const results = own.flatMap((step) => step.observation?.results ?? []);
        const written = task.solutions[index]?.steps ?? [];
        const made = written.filter((step) => callOf(step) !== undefined);
        expect(calls.map((call) => ({ tool: call.function_name, arguments: call.arguments }))).toEqual(
          made.map(callOf),
        );
        expect(results.map(({ content: text }) => text ?? "")).toEqual(
          made.map(({ observation }) => observation),
        );
      }
    }
  });
});
