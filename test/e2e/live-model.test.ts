import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { modelProvider } from "../servers/model-provider.ts";
import { sftRows } from "./dataset-rows.ts";
import { repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

const call = (name: string, args: Record<string, unknown>): ModelReply => ({
  toolCalls: [{ name, arguments: args }],
});

/** What a model would do about the task `sort-words`: look, solve it wrongly, mend it, look again. */
const answers: readonly ModelReply[] = [
  call("read_file", { path: "words.txt" }),
  call("write_file", { path: "sort.sh", content: "LC_ALL=C sort words.txt > sorted.txt\n" }),
  call("edit_file", { path: "sort.sh", old_string: "sort words", new_string: "sort -u words" }),
  call("bash", { command: "bash sort.sh && wc -l sorted.txt", timeout: 30 }),
  { text: "The words are sorted." },
];

async function specFor(dir: string, agent: Record<string, unknown>, rest = {}): Promise<string> {
  const path = join(dir, "live.json");
  const spec = {
    name: "live",
    tasks: [join(repository, "examples/tasks/sort-words")],
    agents: [{ name: "tools", ...agent }],
    retry: { max: 0 },
    export: { name: "live", formats: ["sft"], splits: { train: 1 } },
    ...rest,
  };
  await writeFile(path, JSON.stringify(spec));
  return path;
}

test.each(["chat-completions", "responses", "messages"] as const)(
  "a live model that speaks %s solves a task in a sandbox, and its work becomes a dataset",
  async (protocol) => {
    await using machine = await userMachine();
    await using model = await modelProvider({ script: (_, before) => answers[before] ?? { text: "?" } });
    const providers = { acme: { url: model.baseUrl(protocol), protocol } };
    const spec = await specFor(machine.dir, { model: "acme/m" }, { providers });
    expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
    expect(await showTrials(machine)).toMatchObject([
      { task: "examples/sort-words", agent: "tools", outcome: "scored", reward: 1 },
    ]);
    // The model saw what its tools really did.
    const last = model.asked.at(-1);
    expect(last?.messages.at(-1)?.text).toMatch(/^\d+ sorted\.txt\n$/);
    // What is trained on is what was sent over the wire, and the last answer.
    const rows = await sftRows(machine);
    expect(rows).toHaveLength(1);
    const trained = rows[0]?.messages ?? [];
    expect(trained.slice(0, -1).map(({ role, content }) => [role, content])).toEqual(
      last?.messages.map(({ role, text }) => [role, text]),
    );
    expect(
      trained.flatMap(({ tool_calls: calls }) => calls?.map(({ function: made }) => made.name) ?? []),
    ).toEqual(last?.messages.flatMap(({ toolCalls }) => toolCalls?.map(({ name }) => name) ?? []));
    expect(trained.at(-1)).toMatchObject({ role: "assistant", content: "The words are sorted." });
  },
);

test("a model that stops too early gets the zero that it deserves; one that is not there gets none", async () => {
  await using machine = await userMachine();
  await using model = await modelProvider({ script: () => ({ text: "Too hard." }) });
  const baseUrl = model.baseUrl("chat-completions");
  await tracemill(machine, "run", await specFor(machine.dir, { model: "acme/m", options: { baseUrl } }));
  expect(await showTrials(machine)).toMatchObject([{ outcome: "scored", reward: 0 }]);
  await using refusing = await modelProvider({
    script: () => (response) =>
      void response
        .writeHead(404, { "content-type": "application/json" })
        .end(JSON.stringify({ error: { message: "no such model" } })),
  });
  const nowhere = `${refusing.baseUrl("chat-completions")}#m`;
  await tracemill(machine, "run", await specFor(machine.dir, { model: nowhere }));
  const [trial] = await showTrials(machine);
  expect(trial).toMatchObject({ outcome: "model-failed", reason: expect.stringContaining("no such model") });
  expect(trial?.reward).toBeUndefined();
});

test("a slip in the agent's options, or in its model, is found before anything is started", async () => {
  await using machine = await userMachine();
  const baseUrl = "http://127.0.0.1:9/v1";
  const slips: [Record<string, unknown>, string][] = [
    [{ model: "acme/m", options: { baseUrl, maxTurn: 3 } }, "did you mean `maxTurns`?"],
    [{ model: "opnai/gpt-5.2" }, "did you mean openai/?"],
    [{}, "wants a `model`"],
    [{ name: "oracle", model: "openai/gpt-5.2" }, "oracle asks no model"],
    [{ model: "replay/nowhere.json" }, "nowhere.json cannot be read"],
  ];
  for (const [agent, hint] of slips) {
    const spec = await specFor(machine.dir, agent);
    expect(await tracemill(machine, "run", spec)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(hint),
    });
  }
  const dead = await tracemill(machine, "run", await specFor(machine.dir, { model: `${baseUrl}#m` }));
  expect(dead).toMatchObject({ code: 1, stderr: expect.stringMatching(/does not answer: .*ECONNREFUSED/) });
  expect((await tracemill(machine, "runs")).stdout).toContain("no runs yet");
});
