import { TracemillError } from "@tracemill/core/errors.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { steps } from "@tracemill/core/pipeline/handlers.ts";
import { readPlan } from "@tracemill/core/pipeline/plan-run.ts";
import type { StepName } from "@tracemill/core/pipeline/stages.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { describe, expect, test } from "vitest";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import { manualDeadline } from "../../test/fakes.ts";
import { stepInFunction } from "./step-in-function.ts";

/** Notes the keys that are written. */
function watched(objects: ObjectStore): { objects: ObjectStore; written: string[] } {
  const written: string[] = [];
  return {
    written,
    objects: {
      ...objects,
      put: (key, body) => {
        written.push(key);
        return objects.put(key, body);
      },
    },
  };
}

const stepOf = (name: StepName) => ({ name, work: steps[name] });

describe("a step of a run as a function", () => {
  test("is done once, also when the function is called again after it was done", async () => {
    const world = await pipelineWorld();
    const { objects, written } = watched(world.objects);
    const { deps } = world.process("lambda/1", { objects });
    for (const name of ["ingest", "prepare", "plan", "prepare", "plan"] as const) {
      expect(await stepInFunction(world, stepOf(name), manualDeadline(), deps)).toEqual({
        unfinished: false,
      });
    }
    expect((await readPlan(world.runId, world.objects)).trials).toBe(1);
    expect(written.filter((key) => key === objectKeys.runTasks(world.runId))).toHaveLength(1);
    expect(written.filter((key) => key === objectKeys.runShards(world.runId))).toHaveLength(1);
  });

  test("is handed on when its time runs short, and the next one need not wait for its lease", async () => {
    const world = await pipelineWorld();
    const deadline = manualDeadline();
    const { deps } = world.process("lambda/1", {
      signal: deadline.signal,
      taskFolders: async function* () {
        yield { path: "a", files: [...answerTask.files] };
        deadline.come();
        yield { path: "b", files: [...answerTask.files] };
      },
    });
    expect(await stepInFunction(world, stepOf("prepare"), deadline, deps)).toEqual({ unfinished: true });
    const next = world.process("job/1").deps;
    expect(await stepInFunction(world, stepOf("prepare"), manualDeadline(), next)).toEqual({
      unfinished: false,
    });
  });

  test("fails with what is wrong, which is no matter of time", async () => {
    const world = await pipelineWorld();
    const { deps } = world.process("lambda/1", {
      // biome-ignore lint/correctness/useYield: a folder that cannot be read
      taskFolders: async function* () {
        throw new TracemillError("invalid-task", "a/task.toml: broken");
      },
    });
    const work = stepInFunction(world, stepOf("prepare"), manualDeadline(), deps);
    await expect(work).rejects.toMatchObject({ code: "invalid-task" });
  });
});
