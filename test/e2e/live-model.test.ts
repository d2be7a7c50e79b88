import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { calls, completion, type Reply, scriptedModel } from "../servers/scripted-model.ts";
import { datasetOf, repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

/** What a model would do about the task `sort-words`: look, solve it, look again. */
const answers: readonly Reply[] = [
  calls(["read_file", { path: "words.txt" }]),
  calls(["bash", { command: "LC_ALL=C sort -u words.txt > sorted.txt && wc -l sorted.txt" }]),
  completion({ content: "The words are sorted." }),
];

async function specFor(dir: string, options: Record<string, unknown>): Promise<string> {
  const path = join(dir, "live.json");
  const spec = {
    name: "live",
    tasks: [join(repository, "examples/tasks/sort-words")],
    agents: [{ name: "tools", model: "acme/m", options }],
    retry: { max: 0 },
    export: { name: "live", formats: ["sft"], splits: { train: 1 } },
  };
  await writeFile(path, JSON.stringify(spec));
  return path;
}

test("a live model solves a task in a sandbox, and its work becomes a dataset", async () => {
  await using machine = await userMachine();
  await using model = await scriptedModel(({ body }) => {
    const turns = body.messages.filter(({ role }) => role === "assistant").length;
    return answers[turns] ?? completion({ content: "?" });
  });
  const spec = await specFor(machine.dir, { baseUrl: model.baseUrl });
  expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
  expect(await showTrials(machine)).toMatchObject([
    { task: "examples/sort-words", agent: "tools", outcome: "scored", reward: 1 },
  ]);
  // The model saw what its tools really did.
  const told = model.asked[2]?.body.messages.at(-1)?.content;
  expect(told).toMatch(/^\d+ sorted\.txt\n$/);
  expect((await datasetOf(machine)).manifest.files.some(({ rows }) => rows === 1)).toBe(true);
});

test("a model that stops too early gets the zero that it deserves; one that is not there gets none", async () => {
  await using machine = await userMachine();
  await using model = await scriptedModel(() => completion({ content: "Too hard." }));
  await tracemill(machine, "run", await specFor(machine.dir, { baseUrl: model.baseUrl }));
  expect(await showTrials(machine)).toMatchObject([{ outcome: "scored", reward: 0 }]);
  await using refusing = await scriptedModel(() => ({
    status: 404,
    body: { error: { message: "no such model" } },
  }));
  await tracemill(machine, "run", await specFor(machine.dir, { baseUrl: refusing.baseUrl }));
  const [trial] = await showTrials(machine);
  expect(trial).toMatchObject({ outcome: "model-failed", reason: expect.stringContaining("no such model") });
  expect(trial?.reward).toBeUndefined();
});

test("a slip in the agent's options is found before anything is started", async () => {
  await using machine = await userMachine();
  const spec = await specFor(machine.dir, { baseUrl: "http://127.0.0.1:9/v1", maxTurn: 3 });
  expect(await tracemill(machine, "run", spec)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("did you mean `maxTurns`?"),
  });
  expect((await tracemill(machine, "runs")).stdout).toContain("no runs yet");
});
