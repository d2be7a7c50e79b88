import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jsonForm } from "@tracemill/agents/terminus/json-reply.ts";
import { xmlForm } from "@tracemill/agents/terminus/xml-reply.ts";
import { expect, test } from "vitest";
import type { AskedModel } from "../servers/model-provider/asked.ts";
import type { ModelReply } from "../servers/model-provider/reply.ts";
import { modelProvider } from "../servers/model-provider.ts";
import { sftRows } from "./dataset-rows.ts";
import { repository, showTrials, tracemill, userMachine } from "./tracemill.ts";

/** What is typed to solve the task `sort-words`, interpreters, editors and slips included. */
const turns: readonly string[][] = [
  ["cat words.txt\n"],
  ["python3 -q\n", "words = open('words.txt').read().split()\n", "C-d"],
  ["sleep 600\n"],
  ["C-c", "LC_ALL=C sort -u words.txt > sorted.txt\n"],
  ["vi sorted.txt\n", "Go", "zebra", "Escape", "dd", ":wq\n"],
  ["wc -l sorted.txt\n"],
];

function replyOf(form: typeof jsonForm, typed: string[] | undefined): string {
  const commands = (typed ?? []).map((keystrokes) => ({ keystrokes, seconds: 1 }));
  return form.write({ analysis: "Looking.", plan: "Typing.", commands, complete: typed === undefined });
}

/** The turn that the model is at: how many useful replies the work has had so far. */
function nextTurn(): () => string[] | undefined {
  let next = 0;
  return () => {
    next += 1;
    return turns[next - 1];
  };
}

async function specFor(dir: string, options: Record<string, unknown>, rest = {}): Promise<string> {
  const path = join(dir, "terminus.json");
  const spec = {
    name: "terminus",
    tasks: [join(repository, "examples/tasks/sort-words")],
    agents: [{ name: "terminus", options }],
    roles: { policy: "acme/m" },
    retry: { max: 0 },
    export: { name: "terminus", formats: ["sft"], splits: { train: 1 } },
    ...rest,
  };
  await writeFile(path, JSON.stringify(spec));
  return path;
}

const said = ({ messages }: AskedModel) => messages.at(-1)?.text ?? "";
const wire = (asked: AskedModel | undefined) => asked?.messages.map(({ role, text }) => [role, text]);

test.each([
  ["chat-completions", jsonForm],
  ["messages", xmlForm],
  ["responses", xmlForm],
] as const)("a model that speaks %s solves a task at a terminal", async (protocol, form) => {
  await using machine = await userMachine();
  const next = nextTurn();
  await using model = await modelProvider({
    script: (_, before) => ({ text: before === 1 ? "Let me think." : replyOf(form, next()) }),
  });
  const providers = { acme: { url: model.baseUrl(protocol), protocol } };
  const spec = await specFor(machine.dir, { parser: form.name }, { providers });
  expect(await tracemill(machine, "run", spec)).toMatchObject({ code: 0 });
  expect(await showTrials(machine)).toMatchObject([{ agent: "terminus", outcome: "scored", reward: 1 }]);
  const texts = model.asked.map(said);
  expect(texts[0]).toContain("The file `/app/words.txt`");
  expect(texts[2]).toContain("Nothing was typed");
  expect(texts.at(-2)).toMatch(/\n5 sorted\.txt\n/);
  expect(texts.at(-1)).toContain("If it really is done");
  // What is trained on is what was sent over the wire, and the last answer.
  const [row, ...more] = await sftRows(machine);
  expect(more).toEqual([]);
  expect(row?.messages.slice(0, -1).map(({ role, content }) => [role, content])).toEqual(
    wire(model.asked.at(-1)),
  );
  expect(row?.messages.at(-1)).toMatchObject({ role: "assistant", content: replyOf(form, undefined) });
});

/** What a model says while its work is handed over. */
function handingOver(asked: AskedModel): ModelReply | undefined {
  const text = said(asked);
  if (text.includes("Stop here")) return { text: "The words were read." };
  if (text.includes("Before you go on")) return { text: "1. Which order?" };
  return text.includes("asks the following") ? { text: "Byte order." } : undefined;
}

test("work that outgrows the model is handed over, and both halves are exported as they were", async () => {
  await using machine = await userMachine();
  const next = nextTurn();
  let isRefused = false;
  await using model = await modelProvider({
    script: (asked) => {
      const handed = handingOver(asked);
      if (handed !== undefined) return handed;
      if (asked.messages.length < 8 || isRefused) return { text: replyOf(jsonForm, next()) };
      isRefused = true;
      return (response) =>
        void response
          .writeHead(400, { "content-type": "application/json" })
          .end(
            JSON.stringify({ error: { code: "context_length_exceeded", message: "maximum context length" } }),
          );
    },
  });
  const providers = { acme: { url: model.baseUrl("chat-completions"), protocol: "chat-completions" } };
  await tracemill(machine, "run", await specFor(machine.dir, {}, { providers }));
  expect(await showTrials(machine)).toMatchObject([{ outcome: "scored", reward: 1 }]);
  const refused = model.asked.findIndex(({ messages }) => messages.length === 8);
  const [before, after, ...more] = await sftRows(machine);
  expect(more).toEqual([]);
  expect(after?.row_id).toBe(`${before?.row_id}/context-2`);
  const trained = (row: typeof before) => row?.messages.map(({ role, content }) => [role, content]) ?? [];
  // The refused request never had an answer: its last words are in no turn that is learnt.
  expect(trained(before)).toEqual(wire(model.asked[refused]));
  expect(trained(after).slice(0, -1)).toEqual(wire(model.asked.at(-1)));
});

test("caps of the run's own hold, and what was done until then is verified", async () => {
  await using machine = await userMachine();
  const next = nextTurn();
  await using model = await modelProvider({ script: () => ({ text: replyOf(jsonForm, next() ?? []) }) });
  const providers = { acme: { url: model.baseUrl("chat-completions"), protocol: "chat-completions" } };
  const spec = await specFor(machine.dir, {}, { providers, limits: { turns: 5 } });
  await tracemill(machine, "run", spec);
  expect(model.asked).toHaveLength(5);
  expect(await showTrials(machine)).toMatchObject([
    { outcome: "agent-failed", reward: 1, reason: expect.stringContaining("limits.turns") },
  ]);
});
