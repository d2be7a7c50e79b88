import { expect, test } from "vitest";
import { calling, type Scripted, scriptedClient } from "../../../../test/fakes/scripted-client.ts";
import { jsonForm } from "./json-reply.ts";
import { playedReplies } from "./played-replies.ts";

const request = { messages: [], tools: [], signal: new AbortController().signal };

/** The replies that a recording is played as, read again. */
async function played(recorded: readonly Scripted[], times = recorded.length) {
  const client = playedReplies(
    scriptedClient((_, before) => recorded[before] ?? new Error("nothing further is recorded")),
    jsonForm,
  );
  const answers = await Array.fromAsync({ length: times }, () => client.complete(request));
  return answers.map((answer) => ({ answer, read: jsonForm.read(answer.text, false) }));
}

test("recorded shell calls are typed, and the end is said as often as it is asked", async () => {
  const replies = await played(
    [
      calling(["terminal", { command: "ls" }], ["patch", { path: "a" }]),
      calling(["Bash", { command: "pwd\n" }]),
      "Done.",
    ],
    4,
  );
  expect(replies.map(({ read }) => read)).toMatchObject([
    { commands: [{ keystrokes: expect.stringContaining("PAGER=cat") }, { keystrokes: "ls\n", seconds: 60 }] },
    { commands: [{ keystrokes: "pwd\n" }], complete: false },
    { commands: [], complete: true },
    { commands: [], complete: true },
  ]);
  expect(replies[0]?.answer.text).toContain("Not played at the terminal: patch");
});

test("a program with its arguments is typed as a line that means the same", async () => {
  const [reply] = await played([calling(["shell", { command: ["printf", "%s|", "it's", "$HOME"] }])]);
  expect(reply?.read).toMatchObject({ commands: [{}, { keystrokes: "printf '%s|' 'it'\\''s' '$HOME'\n" }] });
});

test("tokens of a text that is another now are left out, and those of one that is the same are kept", async () => {
  const tokens = { completion: [1, 2] };
  const own = jsonForm.write({ analysis: "a", plan: "p", commands: [], complete: false });
  const [translated, same] = await played([
    { ...calling(["bash", { command: "ls" }]), tokens },
    { text: own, toolCalls: [], finish: "more", tokens },
  ]);
  expect(translated?.answer).not.toHaveProperty("tokens");
  expect(translated?.answer.usage).toBeDefined();
  expect(same?.answer).toMatchObject({ text: own, tokens });
});
