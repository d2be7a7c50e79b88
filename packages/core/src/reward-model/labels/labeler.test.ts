import { describe, expect, test } from "vitest";
import { fakeClock } from "../../../../../test/fakes/clock.ts";
import { memoryObjectStore } from "../../../../../test/fakes/memory-stores.ts";
import { TracemillError } from "../../errors.ts";
import type { ModelAnswer, ModelRequest } from "../../ports/model-client.ts";
import { RunBudget } from "../../trial/budget.ts";
import type { SemanticLabel } from "./label.ts";
import { type LabelerDeps, PageLabeler } from "./labeler.ts";

const label: SemanticLabel = {
  page_type: "cart",
  goal_progress: 0.5,
  affordances: {
    can_go_back: true,
    can_search: false,
    can_filter: false,
    can_add_to_cart: false,
    can_submit_form: true,
  },
  nav_depth: 2,
  item_count: 1,
  price_present: true,
  pagination_state: "none",
  salient_entities: ["Dune"],
  is_on_wrong_product: false,
  confidence: 0.9,
};
const page = { url: "https://shop.test/cart", text: "Your cart", instruction: "Buy Dune" };

type Script = (request: ModelRequest, before: number) => string | Partial<ModelAnswer> | Error;

function labelerOf(script: Script, deps: Partial<LabelerDeps> = {}) {
  const asked: ModelRequest[] = [];
  const model = {
    model: "acme/labeler",
    async complete(request: ModelRequest): Promise<ModelAnswer> {
      const answer = script(request, asked.length);
      asked.push({ ...request, messages: [...request.messages] });
      if (answer instanceof Error) throw answer;
      const usage = { promptTokens: 90, completionTokens: 10, cachedTokens: 0 };
      const rest = typeof answer === "string" ? { text: answer } : answer;
      return { text: "", toolCalls: [], finish: "stop", usage, ...rest };
    },
  };
  const { signal } = new AbortController();
  const labeler = new PageLabeler({
    ...{ model, objects: memoryObjectStore(), clock: fakeClock(), budget: new RunBudget({}, 0), signal },
    ...deps,
  });
  return { labeler, asked };
}

describe("a page", () => {
  test("is labelled once: what the store has is not asked for again, nor what is being asked", async () => {
    const objects = memoryObjectStore();
    const first = labelerOf(() => JSON.stringify(label), { objects });
    const both = await Promise.all([first.labeler.label(page), first.labeler.label({ ...page })]);
    expect(both).toEqual([
      { status: "labelled", label },
      { status: "labelled", label },
    ]);
    const second = labelerOf(() => new Error("not to be asked"), { objects });
    expect(await second.labeler.label(page)).toEqual({ status: "labelled", label });
    expect([first.asked.length, second.asked.length]).toEqual([1, 0]);
    expect(second.labeler.counts).toEqual({ asked: 0, stored: 1 });
    const other = { ...page, instruction: "Sell Dune" };
    expect(await second.labeler.label(other).catch(String)).toContain("not to be asked");
  });

  test("goes to the model with the agent's task, its address and its text", async () => {
    const { labeler, asked } = labelerOf(() => JSON.stringify(label));
    await labeler.label(page);
    const content = asked[0]?.messages.map((message) => message.content).join("\n");
    for (const part of ["Buy Dune", page.url, page.text, "goal_progress"]) expect(content).toContain(part);
  });
});

describe("an answer", () => {
  test.each([
    ["in a code fence", `\`\`\`json\n${JSON.stringify(label)}\n\`\`\``],
    ["between words", `Here it is: ${JSON.stringify(label)} I hope it helps.`],
    ["with more keys than asked for", JSON.stringify({ ...label, mood: "good" })],
  ])("%s is read", async (_, text) => {
    const { labeler, asked } = labelerOf(() => text);
    expect(await labeler.label(page)).toEqual({ status: "labelled", label });
    expect(asked).toHaveLength(1);
  });

  test("that is no label is asked for once more, with what is wrong", async () => {
    const wrong = JSON.stringify({ ...label, goal_progress: 7 });
    const { labeler, asked } = labelerOf((_, before) => (before === 0 ? wrong : JSON.stringify(label)));
    expect(await labeler.label(page)).toEqual({ status: "labelled", label });
    expect(asked[1]?.messages.slice(-2)).toMatchObject([
      { role: "assistant", content: wrong },
      { role: "user", content: expect.stringContaining("goal_progress") },
    ]);
  });

  test.each(["", "I cannot.", "{", "[]", '{"page_type": "shop"}'])(
    "%j twice leaves the label out",
    async (text) => {
      const objects = memoryObjectStore();
      const { labeler, asked } = labelerOf(() => text, { objects });
      expect(await labeler.label(page)).toMatchObject({ status: "missing", reason: "invalid-answer" });
      expect(asked).toHaveLength(2);
      const later = labelerOf(() => JSON.stringify(label), { objects });
      expect(await later.labeler.label(page)).toEqual({ status: "labelled", label });
    },
  );

  test("that refuses leaves the label out at once", async () => {
    const { labeler, asked } = labelerOf(() => ({ text: "No.", finish: "refusal" }));
    expect(await labeler.label(page)).toMatchObject({ status: "missing", reason: "refused" });
    expect(asked).toHaveLength(1);
  });
});

describe("a model", () => {
  const at = (n: number) => ({ ...page, url: `https://shop.test/${n}` });

  test("that fails again and again is left alone, and one that recovers is not", async () => {
    const down = new TracemillError("model-failed", "503");
    const { labeler, asked } = labelerOf((_, before) => (before === 2 ? JSON.stringify(label) : down));
    const outcomes: string[] = [];
    for (let n = 0; n < 12; n += 1) {
      const outcome = await labeler.label(at(n));
      outcomes.push(outcome.status === "missing" ? outcome.reason : "labelled");
    }
    expect(outcomes.filter((one) => one === "labelled")).toHaveLength(1);
    expect(outcomes.filter((one) => one === "model-failed")).toHaveLength(11);
    expect(asked).toHaveLength(8);
  });

  test("is not asked beyond the budget, also when its server does not count", async () => {
    const counted = labelerOf(() => JSON.stringify(label), { budget: new RunBudget({ tokens: 150 }, 0) });
    const outcomes = [
      await counted.labeler.label(at(1)),
      await counted.labeler.label(at(2)),
      await counted.labeler.label(at(3)),
    ];
    expect(outcomes.map(({ status }) => status)).toEqual(["labelled", "labelled", "missing"]);
    expect(outcomes[2]).toMatchObject({ reason: "budget-exceeded" });
    const silent = labelerOf(() => JSON.parse(JSON.stringify({ text: JSON.stringify(label), usage: null })), {
      budget: new RunBudget({ tokens: 150 }, 0),
    });
    expect((await silent.labeler.label(at(1))).status).toBe("labelled");
    expect(await silent.labeler.label(at(2))).toMatchObject({ reason: "budget-exceeded" });
  });

  test("is not asked once the work is stopped", async () => {
    const { labeler, asked } = labelerOf(() => JSON.stringify(label), { signal: AbortSignal.abort() });
    await expect(labeler.label(page)).rejects.toMatchObject({ code: "cancelled" });
    expect(asked).toHaveLength(0);
  });
});
