import { describe, expect, test } from "vitest";
import { pipelineWorld } from "../../../../test/fakes/pipeline-world.ts";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import { recordKeys } from "../keys.ts";
import { readStage, runStep } from "./stage-record.ts";

type World = Awaited<ReturnType<typeof pipelineWorld>>;

/** A process whose preparation waits until it is let go, and counts how often it was begun. */
function preparing(world: World, id: string) {
  const begun = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const counts = { begun: 0 };
  const process = world.process(id, {
    taskFolders: async function* () {
      counts.begun += 1;
      begun.resolve();
      await letGo.promise;
      yield { path: "answer", files: [...answerTask.files] };
    },
  });
  return { ...process, counts, begun: begun.promise, letGo: letGo.resolve };
}

describe("a step of a run", () => {
  test("is done once, and the second process gets its output", async () => {
    const world = await pipelineWorld();
    const [first, second] = [preparing(world, "a"), preparing(world, "b")];
    const working = runStep(world.runId, "prepare", {}, first.deps);
    await first.begun;
    const waiting = runStep(world.runId, "prepare", {}, second.deps);
    first.letGo();
    expect(await working).toEqual({ output: { tasks: 1, repeated: 0 }, found: false });
    expect(await waiting).toEqual({ output: { tasks: 1, repeated: 0 }, found: true });
    expect(second.counts.begun).toBe(0);
  });

  test("that was done gives its output, and is done again where that is asked for", async () => {
    const world = await pipelineWorld();
    const { deps, counts, letGo } = preparing(world, "a");
    letGo();
    await runStep(world.runId, "prepare", {}, deps);
    expect((await runStep(world.runId, "prepare", {}, deps)).found).toBe(true);
    expect((await runStep(world.runId, "prepare", {}, deps, true)).found).toBe(false);
    expect(counts.begun).toBe(2);
  });

  test("that fails is free for the next process at once", async () => {
    const world = await pipelineWorld();
    const failing = world.process("a", {
      objects: { ...world.objects, put: () => Promise.reject(new TracemillError("storage-full", "full")) },
    });
    await expect(runStep(world.runId, "prepare", {}, failing.deps)).rejects.toThrow("full");
    expect(await readStage(world.runId, "prepare", world)).toBeUndefined();
  });

  test("whose process lost it is left to the one that took it", async () => {
    const world = await pipelineWorld();
    const [first, second] = [preparing(world, "a"), preparing(world, "b")];
    const losing = runStep(world.runId, "prepare", {}, first.deps);
    await first.begun;
    const taking = runStep(
      world.runId,
      "prepare",
      {},
      {
        ...second.deps,
        owner: { id: "b", isGone: () => true },
      },
    );
    second.letGo();
    expect((await taking).found).toBe(false);
    first.letGo();
    expect(await losing).toMatchObject({ found: true });
    const held = await readStage(world.runId, "prepare", world);
    expect(held).toMatchObject({ row: { status: "done", output: { tasks: 1 } } });
  });

  test("that nobody understands is named, not overwritten", async () => {
    const world = await pipelineWorld();
    await world.records.put(recordKeys.stage(world.runId, "plan"), { status: "sleeping" }, "any");
    await expect(runStep(world.runId, "plan", {}, world.process("a").deps)).rejects.toThrow("stage#plan");
  });
});
