import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { storeRawSnapshot } from "../../../../test/fakes/raw-snapshot.ts";
import { parseTrajectory } from "../atif/trajectory.ts";
import { sha256Hex } from "../ids.ts";
import { objectKeys } from "../keys.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { TaskRef } from "../run/trial.ts";
import { readJson } from "../stored-json.ts";
import { collect } from "../streams.ts";
import { createTaskLoader } from "../trial/load-task.ts";
import { readPrepared } from "./catalog.ts";
import { prepareSnapshot } from "./prepare.ts";

const origin = { source: "prod", snapshotId: "snap_1" };
const harborFiles = {
  "task.toml": 'schema_version = "1.4"\n',
  "instruction.md": "Do it.\n",
  "tests/test.sh": "#!/bin/bash\necho 1 > /logs/verifier/reward.txt\n",
};
const verify = { command: "test -f done" };

type Rows = Parameters<typeof storeRawSnapshot>[2];

async function prepared(rows: Rows) {
  const objects = memoryObjectStore();
  await storeRawSnapshot(objects, origin, rows);
  const manifest = await prepareSnapshot(origin, { objects, clock: fakeClock() });
  return { objects, manifest, tasks: await Array.fromAsync(readPrepared(objects, "prod", "snap_1")) };
}

async function allObjects(objects: ObjectStore): Promise<Record<string, string>> {
  const all: Record<string, string> = {};
  for await (const { key } of objects.list(""))
    all[key] = sha256Hex(await collect((await objects.get(key)) ?? gone()));
  return all;
}

function gone(): never {
  throw new Error("gone");
}

describe("preparing a snapshot", () => {
  test("turns a row with a deciding command into a Harbor task that a run can load", async () => {
    const task = {
      id: "t/1",
      prompt: "Make the file `done`.",
      group: "g",
      verify,
      environment: { files: { "a.txt": "a" } },
    };
    const { objects, manifest, tasks } = await prepared([{ task, solutions: [] }]);
    expect(manifest.counts).toEqual({ rows: 1, harbor: 1, scenario: 0, references: 0 });
    expect(tasks).toMatchObject([{ kind: "harbor", group: "g", decidedBy: "tests", hasSolution: false }]);
    expect(tasks[0]?.origin).toEqual({ kind: "snapshot", ...origin, taskId: "t/1" });
    const loaded = await createTaskLoader(objects).load(tasks[0] as TaskRef);
    expect(loaded.kind === "harbor" && loaded.harbor.instruction).toBe("Make the file `done`.\n");
  });

  test("keeps the content hash of a Harbor task that the row brings, as files or as an archive", async () => {
    const asFiles = await prepared([{ task: { id: "1", harbor: { files: harborFiles } }, solutions: [] }]);
    const archive = await collect(
      (await asFiles.objects.get(objectKeys.task(asFiles.tasks[0]?.hash ?? ""))) ?? gone(),
    );
    const asArchive = await prepared([
      { task: { id: "2", harbor: { archive_base64: archive.toString("base64") } }, solutions: [] },
    ]);
    expect(asArchive.manifest.problems).toEqual([]);
    expect(asArchive.tasks[0]?.hash).toBe(asFiles.tasks[0]?.hash);
  });

  test("makes a scenario of a question, with the answer wherever the source put it", async () => {
    const places: Rows = [
      { task: { id: "own", prompt: "6 * 7?", expected_answer: 42 }, solutions: [] },
      { task: { id: "metadata", prompt: "6 * 7?", metadata: { expected_answer: "42" } }, solutions: [] },
      {
        task: { id: "solution", prompt: "6 * 7?" },
        solutions: [{ id: "s", answer: "41", expected_answer: "42" }],
      },
      {
        task: { id: "response", responses_create_params: { input: "6 * 7?" } },
        solutions: [{ id: "r", response: { output: [], expected_answer: "42" } }],
      },
    ];
    const { objects, tasks } = await prepared(places);
    expect(tasks.map(({ kind, decidedBy }) => `${kind} ${decidedBy}`)).toEqual(
      places.map(() => "scenario answer"),
    );
    const loader = createTaskLoader(objects);
    const scenarios = await Promise.all(tasks.map((task) => loader.load(task)));
    for (const loaded of scenarios) {
      expect(loaded.kind === "scenario" && loaded.scenario).toMatchObject({
        messages: [{ role: "user", content: "6 * 7?" }],
        expected_answer: "42",
      });
    }
  });

  test("takes a recorded answer that is an object, and replays it as its JSON text", async () => {
    const answer = { fields: { name: "Ada" } };
    const { objects, manifest, tasks } = await prepared([
      { task: { id: "q", prompt: "Who?" }, solutions: [{ id: "s", answer }] },
    ]);
    expect(manifest).toMatchObject({ counts: { scenario: 1, references: 1 }, problems: [] });
    const [key = ""] = tasks.flatMap(({ references }) => references.map((each) => each.trajectoryKey));
    const trajectory = parseTrajectory(await readJson(objects, key), key);
    expect(trajectory.steps.at(-1)).toMatchObject({ source: "agent", message: '{"fields":{"name":"Ada"}}' });
  });

  test("keeps a question undecided, and says so, when its solutions carry different answers", async () => {
    const solutions = ["1", "2"].map((id) => ({ id, answer: id, expected_answer: id }));
    const { manifest, tasks } = await prepared([{ task: { id: "q", prompt: "?" }, solutions }]);
    expect(tasks[0]?.decidedBy).toBe("none");
    expect(manifest.problems).toEqual([
      { taskId: "q", reason: expect.stringContaining("different expected answers") },
    ]);
  });

  test("stores each recorded solution as a trajectory, with what the source claimed", async () => {
    const steps = [{ tool: "bash", arguments: { command: "touch done" }, observation: "" }];
    const evaluation = { status: "passed", score: 1, verdict: "all checks hold" };
    const solutions = [{ id: "s1", agent: "coder", model: "m-1", steps, evaluation }];
    const { objects, tasks } = await prepared([{ task: { id: "t", prompt: "Go.", verify }, solutions }]);
    const [reference] = tasks[0]?.references ?? [];
    expect(reference).toMatchObject({ solutionId: "s1", agent: "coder", model: "m-1", claim: evaluation });
    const trajectory = parseTrajectory(await readJson(objects, reference?.trajectoryKey ?? ""), "reference");
    expect(trajectory.steps.map(({ source }) => source)).toEqual(["user", "agent"]);
  });

  test("records what cannot be converted and keeps the rest", async () => {
    const { manifest, tasks } = await prepared([
      { task: { id: "empty" }, solutions: [] },
      {
        task: { id: "broken", harbor: { archive_base64: "bm8gdGFy" } },
        solutions: [{ id: "s", answer: "x" }],
      },
      { task: { id: "escape", harbor: { files: { ...harborFiles, "tests/../../x": "" } } }, solutions: [] },
      {
        task: { id: "fine", prompt: "Go.", verify },
        solutions: [{ id: "mute" }, { id: "told", answer: "done" }],
      },
    ]);
    expect(tasks.map(({ origin: from }) => from.kind === "snapshot" && from.taskId)).toEqual(["fine"]);
    expect(tasks[0]?.references.map(({ solutionId }) => solutionId)).toEqual(["told"]);
    expect(manifest.counts).toEqual({ rows: 4, harbor: 1, scenario: 0, references: 1 });
    expect(manifest.problems.map(({ taskId, solutionId }) => solutionId ?? taskId)).toEqual([
      "empty",
      "broken",
      "escape",
      "mute",
    ]);
  });

  test("lists a task that two rows bring once, with the solutions of both", async () => {
    const rows = ["1", "2", "3"].map((id) => ({
      task: { id, ...(id === "2" ? { prompt: "Other?" } : { harbor: { files: harborFiles } }) },
      solutions: [{ id: `s${id}`, answer: "done" }],
    }));
    const { manifest, tasks } = await prepared(rows);
    expect(manifest.duplicates).toEqual([{ taskId: "3", hash: tasks[0]?.hash }]);
    expect(tasks.map(({ references }) => references.map(({ solutionId }) => solutionId))).toEqual([
      ["s1", "s3"],
      ["s2"],
    ]);
  });

  test("gives the same objects each time, and does nothing the second time", async () => {
    const rows = Array.from({ length: 30 }, (_, index) => ({
      task: { id: `t${index}`, prompt: `Task ${index}`, ...(index % 2 === 0 ? { verify } : {}) },
      solutions: [{ id: `s${index}`, answer: String(index) }],
    }));
    const [first, second] = [await prepared(rows), await prepared(rows)];
    expect(await allObjects(second.objects)).toEqual(await allObjects(first.objects));
    const later = fakeClock("2027-01-01T00:00:00.000Z");
    expect(await prepareSnapshot(origin, { objects: first.objects, clock: later })).toEqual(first.manifest);
  });

  test("tells how far it is, and stops when it is told to", async () => {
    const objects = memoryObjectStore();
    await storeRawSnapshot(objects, origin, [
      { task: { id: "t", prompt: "?" }, solutions: [{ id: "s", answer: "!" }] },
    ]);
    const stopped = prepareSnapshot(origin, { objects, clock: fakeClock(), signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
    const seen: unknown[] = [];
    await prepareSnapshot(origin, {
      objects,
      clock: fakeClock(),
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen).toEqual([{ rows: 1, tasks: 1, references: 1 }]);
  });

  const recorded = "../shared/data/rollouts";
  test.skipIf(!existsSync(recorded))("makes a task and a trajectory of every real rollout", async () => {
    const rows = readdirSync(recorded).flatMap((file) =>
      readFileSync(`${recorded}/${file}`, "utf8")
        .trim()
        .split("\n")
        .map((line, index) => {
          const { responses_create_params, response } = JSON.parse(line);
          const id = `${file}-${index}`;
          const prompt = "See the repository.";
          return { task: { id, prompt, responses_create_params }, solutions: [{ id, response }] };
        }),
    );
    const { manifest } = await prepared(rows);
    expect(manifest.problems).toEqual([]);
    expect(manifest.counts).toMatchObject({ rows: 30, scenario: 30, references: 30 });
  });
});
