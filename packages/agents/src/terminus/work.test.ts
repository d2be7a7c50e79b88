import { contextSegments } from "@tracemill/core/atif/context-segments.ts";
import { trajectoryToMessages } from "@tracemill/core/atif/messages.ts";
import { parseTrajectory, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { contextLimit } from "@tracemill/core/models/context-limit.ts";
import type { ModelAnswer, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { fakeTerminal } from "../../../../test/fakes/fake-terminal.ts";
import { type Scripted, scriptedClient } from "../../../../test/fakes/scripted-client.ts";
import { TrajectoryBuilder } from "../trajectory-builder.ts";
import { jsonForm } from "./json-reply.ts";
import { terminusOptions } from "./options.ts";
import { ShellDesk } from "./shell-desk.ts";
import { Work } from "./work.ts";
import { xmlForm } from "./xml-reply.ts";

type Script = (request: ModelRequest, before: number) => Scripted;

interface World {
  options?: Record<string, unknown>;
  terminal?: ReturnType<typeof fakeTerminal>;
  reopen?: () => ReturnType<typeof fakeTerminal>;
  signal?: AbortSignal;
}

const echo = () => fakeTerminal((keys) => `${keys}ok\n$ `);

/** Works at a terminal that prints what is typed into it. */
async function work(script: Script, { options = {}, terminal = echo(), reopen = echo, signal }: World = {}) {
  const model = scriptedClient(script);
  const parsed = terminusOptions(options);
  const clock = fakeClock();
  const trajectory = new TrajectoryBuilder({ name: "terminus", version: "1" }, clock);
  const desk = new ShellDesk(terminal, async () => reopen(), "/app");
  const running = new Work(
    {
      ...{ model, desk, trajectory, clock, options: parsed, version: "1", task: "Write 42" },
      form: parsed.parser === "json" ? jsonForm : xmlForm,
      signal: signal ?? new AbortController().signal,
    },
    [
      { role: "system", content: "You work at a terminal." },
      { role: "user", content: "The task:\n\nWrite 42" },
    ],
  );
  const end = await running.run();
  return { end, asked: model.asked, terminal, trajectory: parseTrajectory(trajectory.build(), "terminus") };
}

function reply(keystrokes: string[], complete = false): string {
  const commands = keystrokes.map((keys) => ({ keystrokes: keys, seconds: 1 }));
  return jsonForm.write({ analysis: "a", plan: "p", commands, complete });
}

const done = reply([], true);
const said = (asked: readonly ModelRequest[], at: number) => asked[at]?.messages.at(-1)?.content ?? "";

function tooLong(): TracemillError {
  return new TracemillError("model-failed", "the prompt is too long", { context: { reason: contextLimit } });
}

describe("the work at a terminal", () => {
  test("goes on until the model has said twice that it is done", async () => {
    const replies = [reply(["echo 42 > answer.txt\n", ""]), done, done];
    const { end, asked, terminal, trajectory } = await work((_, before) => replies[before] ?? "?");
    expect(end).toEqual({ kind: "completed" });
    expect(terminal.did).toEqual([
      "echo 42 > answer.txt\n",
      "… 1000 ms or prompt",
      "",
      "… 1000 ms or prompt",
    ]);
    expect(said(asked, 1)).toBe("New on the terminal:\necho 42 > answer.txt\nok\n$ ok\n$ ");
    expect(said(asked, 2)).toMatch(/The terminal shows:[\s\S]*If it really is done/);
    expect(trajectory.steps.map(({ source }) => source)).toEqual([
      "system",
      "user",
      "agent",
      "agent",
      "agent",
    ]);
    expect(trajectory.steps[2]?.extra).toMatchObject({ typed: [{ seconds: 1 }, {}], complete: false });
  });

  test("goes on where the model was not sure after all", async () => {
    const replies = [done, reply(["ls\n"]), done, done];
    const { end, asked } = await work((_, before) => replies[before] ?? "?");
    expect(end).toEqual({ kind: "completed" });
    expect(asked).toHaveLength(4);
  });

  test("takes every wait to its end where that is wanted", async () => {
    const replies = [reply(["ls\n"]), done, done];
    const { terminal } = await work((_, before) => replies[before] ?? "?", { options: { wait: "full" } });
    expect(terminal.did).toEqual(["ls\n", "… 1000 ms"]);
  });

  test("gets along with another form of reply", async () => {
    const commands = [{ keystrokes: "ls\n", seconds: 1 }];
    const write = (complete: boolean) => xmlForm.write({ analysis: "", plan: "", commands, complete });
    const { end, terminal } = await work((_, before) => write(before > 0), { options: { parser: "xml" } });
    expect(end).toEqual({ kind: "completed" });
    expect(terminal.did.filter((keys) => keys === "ls\n")).toHaveLength(3);
  });

  test("is held to its turns", async () => {
    const { end, asked } = await work(() => reply(["ls\n"]), { options: { maxTurns: 3 } });
    expect(end).toMatchObject({ failure: "turn-limit", reason: expect.stringContaining("`maxTurns`") });
    expect(asked).toHaveLength(3);
  });

  test.each<[string, Scripted, string]>([
    ["a cap on requests", new TracemillError("turn-limit", "2 turns (`limits.turns`)"), "turn-limit"],
    ["a refusal", { text: "No.", toolCalls: [], finish: "refusal" }, "refusal"],
  ])("ends at %s", async (_, last, failure) => {
    const { end, trajectory } = await work((_request, before) => (before === 0 ? reply(["ls\n"]) : last));
    expect(end).toMatchObject({ kind: "agent-failed", failure });
    expect(trajectory.steps.length).toBeGreaterThanOrEqual(3);
  });

  test("stops with what it has when its time is over", async () => {
    const stopping = new AbortController();
    const terminal = fakeTerminal(() => {
      stopping.abort();
      return "half";
    });
    const { end, trajectory } = await work(() => reply(["make\n", "ls\n"]), {
      terminal,
      signal: stopping.signal,
    });
    expect(end).toEqual({ kind: "completed" });
    expect(terminal.did).toEqual(["make\n"]);
    expect(trajectory.steps.at(-1)?.extra).toMatchObject({ terminal: "half" });
  });

  test("says where a shell has ended, and goes on in a new one", async () => {
    const first = fakeTerminal((_, terminal) => {
      terminal.ended = 3;
      return "logout";
    });
    const second = echo();
    const replies = [reply(["exit 3\n", "ls\n"]), reply(["pwd\n"]), done, done];
    const { end, asked } = await work((_, before) => replies[before] ?? "?", {
      terminal: first,
      reopen: () => second,
    });
    expect(end).toEqual({ kind: "completed" });
    expect(first.did).not.toContain("ls\n");
    expect(second.did[0]).toBe("pwd\n");
    expect(said(asked, 1)).toMatch(/The shell ended \(exit code 3\)[\s\S]*logout/);
  });

  test("keeps its work when the time is over while a new shell is opened", async () => {
    const stopping = new AbortController();
    const first = fakeTerminal((_, terminal) => {
      terminal.ended = 3;
      return "logout";
    });
    const { end, trajectory } = await work(() => reply(["exit 3\n"]), {
      terminal: first,
      reopen: () => {
        stopping.abort();
        throw stopping.signal.reason;
      },
      signal: stopping.signal,
    });
    expect(end).toEqual({ kind: "completed" });
    expect(trajectory.steps.at(-1)?.extra).toMatchObject({ terminal: "logout" });
  });

  test("gives up on shells that end again and again", async () => {
    const ending = () =>
      fakeTerminal((_, terminal) => {
        terminal.ended = 1;
        return "";
      });
    const { end } = await work(() => reply(["exit\n"]), { terminal: ending(), reopen: ending });
    expect(end).toMatchObject({ failure: "error", reason: "its shell ended 21 times" });
  });
});

describe("a reply out of form", () => {
  test("is answered with what is wrong, and the work goes on", async () => {
    const replies = ["I will run ls.", `Sure! ${reply(["ls\n"])}`, done, done];
    const { end, asked, terminal } = await work((_, before) => replies[before] ?? "?");
    expect(end).toEqual({ kind: "completed" });
    expect(said(asked, 1)).toContain("Nothing was typed, since your reply could not be read: no JSON object");
    expect(said(asked, 2)).toContain("- there is text before the JSON object");
    expect(said(asked, 2)).toContain("New on the terminal:\nls\nok");
    expect(terminal.did[0]).toBe("ls\n");
  });

  test("ends the work once there were too many in a row", async () => {
    const { end, asked } = await work((_, before) => (before === 1 ? reply(["ls\n"]) : "?"), {
      options: { maxMalformed: 3 },
    });
    expect(end).toMatchObject({
      failure: "error",
      reason: expect.stringContaining("3 times in a row (`maxMalformed`)"),
    });
    expect(asked).toHaveLength(5);
  });

  test("that was cut is carried out as far as it is whole", async () => {
    const whole = reply(["ls\n", "pwd\n"]);
    const cut: ModelAnswer = {
      text: whole.slice(0, whole.indexOf("pwd") + 2),
      toolCalls: [],
      finish: "length",
    };
    const replies = [cut, done, done];
    const { asked, terminal } = await work((_, before) => replies[before] ?? "?");
    expect(terminal.did).toEqual(["ls\n", "… 1000 ms or prompt"]);
    expect(said(asked, 1)).toContain("only its first command was typed");
  });

  test("that is always cut has reached the output limit", async () => {
    const cut: ModelAnswer = { text: '{"analysis": "long', toolCalls: [], finish: "length" };
    const { end, asked } = await work(() => cut);
    expect(end).toMatchObject({ failure: "output-limit" });
    expect(said(asked, 1)).toContain("cut at the output limit, and none of it was carried out");
  });
});

const usage = (promptTokens: number) => ({ promptTokens, completionTokens: 100, cachedTokens: 0 });
const turn = (keys: string, promptTokens: number): ModelAnswer => ({
  text: reply([keys]),
  toolCalls: [],
  finish: "stop",
  usage: usage(promptTokens),
});

/** What a model says while work is handed over, by what it is asked. */
function handingOver(said: string): string | undefined {
  if (said.includes("Stop here")) return "THE SUMMARY";
  if (said.includes("Before you go on")) return "1. WHICH PORT?";
  return said.includes("asks the following") ? "PORT 80" : undefined;
}

const lastOf = ({ messages }: ModelRequest) => messages.at(-1)?.content ?? "";

/** The conversations of a trajectory as they are exported, without what was never answered. */
function conversationsOf(trajectory: Trajectory) {
  return contextSegments(trajectory).map((segment) => {
    const { messages } = trajectoryToMessages(segment);
    return messages.slice(
      0,
      messages.findLastIndex(({ role }) => role === "assistant"),
    );
  });
}

describe("a conversation that grows too long", () => {
  test("is summarised in time where the model's context is known, and the work goes on", async () => {
    let turns = 0;
    const { end, asked, trajectory } = await work(
      (request) => {
        const handed = handingOver(lastOf(request));
        if (handed !== undefined) return handed;
        turns += 1;
        if (turns > 4) return done;
        return turn(`ls ${turns}\n`, turns * 10_000);
      },
      { options: { contextTokens: 32_000 } },
    );
    expect(end).toEqual({ kind: "completed" });
    // 3 turns, then summary, questions and answers, then the rest.
    const summary = asked[3];
    expect(summary?.messages.length).toBe(8);
    expect(lastOf(summary as ModelRequest)).toMatch(/^New on the terminal:\nls 3[\s\S]*Stop here/);
    expect(asked[4]?.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(lastOf(asked[4] as ModelRequest)).toMatch(/Write 42[\s\S]*THE SUMMARY[\s\S]*ls 3/);
    expect(asked[5]?.messages.slice(-2).map(({ content }) => content)).toEqual([
      "THE SUMMARY",
      expect.stringContaining("WHICH PORT?"),
    ]);
    expect(asked[6]?.messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(lastOf(asked[6] as ModelRequest)).toMatch(/PORT 80[\s\S]*The terminal shows/);
    expect(trajectory.subagent_trajectories?.map((each) => each.trajectory_id)).toEqual([
      "summary-1-summary",
      "summary-1-questions",
      "summary-1-answers",
    ]);
  });

  test("is exported as the conversations that the model really had", async () => {
    let turns = 0;
    const { asked, trajectory } = await work(
      (request) => {
        const handed = handingOver(lastOf(request));
        if (handed !== undefined) return handed;
        turns += 1;
        return turns > 4 ? done : turn(`ls ${turns}\n`, turns * 10_000);
      },
      { options: { contextTokens: 32_000 } },
    );
    const [before, after, ...more] = conversationsOf(trajectory);
    expect(more).toEqual([]);
    expect(before).toEqual(asked[2]?.messages);
    expect(after).toEqual(asked.at(-1)?.messages);
    for (const [index, subagent] of (trajectory.subagent_trajectories ?? []).entries())
      expect(conversationsOf(subagent)).toEqual([asked[3 + index]?.messages]);
  });

  test("is summarised without its last turns when the model refuses it", async () => {
    let refused = 0;
    const long = `echo ${"x".repeat(7_000)}\n`;
    const { end, asked } = await work((request, before) => {
      const handed = handingOver(lastOf(request));
      if (handed !== undefined) return handed;
      if (before < 6) return turn(long, 1_000);
      if (refused === 0) {
        refused += 1;
        return tooLong();
      }
      return done;
    });
    expect(end).toEqual({ kind: "completed" });
    // Six turns; the last one alone frees enough.
    expect(asked[7]?.messages).toHaveLength(12);
    expect(lastOf(asked[7] as ModelRequest)).toContain("Stop here");
  });

  test("is halved until its summary fits", async () => {
    const { end, asked } = await work((request, before) => {
      if (before < 8) return turn("ls\n", 1_000);
      if (before === 8 || (lastOf(request).includes("Stop here") && request.messages.length > 6))
        return tooLong();
      return handingOver(lastOf(request)) ?? done;
    });
    expect(end).toEqual({ kind: "completed" });
    const sizes = asked
      .filter((request) => lastOf(request).includes("Stop here"))
      .map(({ messages }) => messages.length);
    expect(sizes).toEqual([10, 6]);
  });

  test("goes on from the screen alone where no summary fits", async () => {
    let turns = 0;
    const { end, asked, trajectory } = await work((request) => {
      const { length } = request.messages;
      if (length > 2 || lastOf(request).includes("In two or three sentences")) return tooLong();
      turns += 1;
      return turns > 1 ? done : turn("ls\n", 1_000);
    });
    expect(end).toMatchObject({ failure: "context-limit" });
    const restarted = asked.find((request) => lastOf(request).startsWith("You take over"));
    expect(restarted?.messages.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(lastOf(restarted as ModelRequest)).toMatch(/Write 42[\s\S]*ls/);
    expect(trajectory.steps.filter(({ extra }) => extra?.context_management !== undefined)).not.toHaveLength(
      0,
    );
  });

  test("is the agent's limit where no summary is wanted, or the task itself does not fit", async () => {
    const refused = await work((_, before) => (before < 2 ? turn("ls\n", 10) : tooLong()), {
      options: { summarize: false },
    });
    expect(refused.end).toMatchObject({ failure: "context-limit", reason: "the prompt is too long" });
    expect((await work(tooLong)).end).toMatchObject({ failure: "context-limit" });
    await expect(work(tooLong, { options: { maxTokens: 9_000 } })).rejects.toMatchObject({
      code: "model-failed",
    });
  });

  test("does not hide other failures while it is summarised", async () => {
    const failing = work(
      (request, before) => {
        if (lastOf(request).includes("Stop here")) return new TracemillError("budget-exceeded", "all spent");
        return turn("ls\n", (before + 1) * 20_000);
      },
      { options: { contextTokens: 40_000 } },
    );
    await expect(failing).rejects.toMatchObject({ code: "budget-exceeded" });
  });
});
