import { describe, expect, test } from "vitest";
import { wholeEpisode } from "../../../../../test/fakes/episodes.ts";
import { meets } from "./criteria.ts";
import { recheckEpisode } from "./recheck.ts";
import { CheckReport, disagrees } from "./report.ts";

const pages = [
  '<form><input name="q"></form>',
  '<div class="cart"><button id="buy" data-id="7">Buy <b>now</b></button></div><script>"Thank you"</script>',
];

interface Given {
  check: object;
  pages?: readonly string[];
  /** Backend events of the first page; null: none were recorded. */
  events?: readonly object[] | null;
  action?: object;
}

function verdictOf({ check, events = [], action, pages: htmls = pages }: Given) {
  const episode = wholeEpisode({ id: "e", checks: [check], pages: htmls });
  const steps = episode.steps.map((step, at) => {
    const { browser_snapshot: snapshot, ...result } = step.action_result;
    const recorded = events === null ? {} : { backend_events: at === 0 ? [...events] : [] };
    return {
      ...step,
      action_result: { ...result, ...action, browser_snapshot: { ...snapshot, ...recorded } },
    } as typeof step;
  });
  const [recheck] = recheckEpisode({ ...episode, steps });
  return recheck?.found;
}

const ordered = { event_name: "ordered", payload: { id: 7, book: { title: "The Dune" }, tags: ["new"] } };

describe("backend_event:NAME", () => {
  const name = "backend_event:ordered";
  test.each([
    ["holds when the event was recorded at any step", { name }, [ordered], "holds"],
    ["fails when it was not", { name }, [{ ...ordered, event_name: "looked" }], "fails"],
    ["cannot be known where nobody recorded events", { name }, null, "unknown"],
    [
      "holds with a payload that meets the criteria",
      { name, details: { criteria: { id: "7", "book.title": "the dune" } } },
      [ordered],
      "holds",
    ],
    ["fails with another payload", { name, value: { id: 8 } }, [ordered], "fails"],
    [
      "holds when one of several events meets the criteria",
      { name, value: { id: 8 } },
      [ordered, { ...ordered, payload: { id: 8 } }],
      "holds",
    ],
    [
      "cannot be known with an operator that nobody knows",
      { name, value: { id: { operator: "resembles", value: 7 } } },
      [ordered],
      "unknown",
    ],
  ])("%s", (_, check, events, verdict) => {
    expect(verdictOf({ check, events })?.verdict).toBe(verdict);
  });

  test("names the step that shows it", () => {
    expect(verdictOf({ check: { name }, events: [ordered] })).toEqual({
      verdict: "holds",
      step: 0,
      evidence: "event ordered",
    });
  });
});

test.each([
  [{ title: { operator: "contains", value: "dune" } }, true],
  [{ title: { operator: "not_contains", value: "dune" } }, false],
  [{ price: { operator: "greater_than", value: 9 } }, true],
  [{ price: { operator: "less_equal", value: "10" } }, true],
  [{ price: { operator: "less_than", value: "cheap" } }, false],
  [{ price: { operator: "in_list", value: [5, "10"] } }, true],
  [{ price: { operator: "not_in_list", value: [10] } }, false],
  [{ tags: { operator: "contains", value: "NEW" } }, true],
  [{ missing: { operator: "not_equals", value: 1 } }, true],
  [{ "a.b": 1 }, true],
  [{ constructor: { operator: "equals", value: undefined } }, true],
  [{ title: { operator: "toString", value: 1 } }, undefined],
  [{}, true],
])("criteria %j give %s", (criteria, met) => {
  const payload = { title: "The Dune", price: 10, tags: ["new"], "a.b": 1 };
  expect(meets(payload, criteria as Record<string, unknown>)).toBe(met);
});

describe("dom:NAME", () => {
  test.each([
    ["a selector on the last page", { name: "dom:cart", value: ".cart button[data-id]" }, "holds"],
    ["a selector of an earlier page alone", { name: "dom:form_visible", value: "form > input" }, "fails"],
    ["a text on the last page", { name: "dom:offer_visible", value: "buy  NOW" }, "holds"],
    ["a text that only a script has", { name: "dom:thanks_visible", value: "Thank you" }, "fails"],
    ["what has to be gone, and is", { name: "dom:form_hidden", details: { selector: "form" } }, "holds"],
    ["what has to be gone, and is not", { name: "dom:offer_gone", details: { text: "Buy now" } }, "fails"],
    ["a click on the selector itself", { name: "dom:button_clicked", value: "#buy" }, "holds"],
    ["a click on something else", { name: "dom:button_clicked", value: "#sell" }, "fails"],
    ["an input that nobody made", { name: "dom:name_typed", value: "#buy" }, "fails"],
    ["nothing", { name: "dom:button_clicked" }, "unknown"],
    ["a selector that is none", { name: "dom:x", details: { selector: "a[[" } }, "unknown"],
    [
      "a click on a selector that is none",
      { name: "dom:x_clicked", details: { selector: "a[[" } },
      "unknown",
    ],
    ["input to a selector that is none", { name: "dom:x_typed", details: { selector: "a[[" } }, "unknown"],
  ])("about %s", (_, check, verdict) => {
    expect(verdictOf({ check })?.verdict).toBe(verdict);
  });

  test("a click by another selector counts when it led to the element", () => {
    const twice = [pages[1] ?? "", "<p>done</p>"];
    const click = (selector: unknown) => ({ action: { kind: "click", args: { selector } } });
    const check = { name: "dom:buy_clicked", value: "#buy" };
    const attribute = { type: "attributeValueSelector", attribute: "data-id", value: "7" };
    for (const selector of [".cart > button", attribute]) {
      expect(verdictOf({ check, pages: twice, action: click(selector) })).toMatchObject({
        verdict: "holds",
        step: 1,
      });
    }
    const byText = { name: "dom:buy_clicked", details: { text: "Buy now" } };
    expect(verdictOf({ check: byText, pages: twice, action: click(attribute) })?.verdict).toBe("holds");
  });

  test("an action that may have been on the element, for all that is known, decides nothing", () => {
    const check = { name: "dom:buy_clicked", value: "#buy" };
    for (const selector of [
      { type: "xpathSelector", value: "//b" },
      { type: "point", x: 3, y: 4 },
    ]) {
      const action = { action: { kind: "click", args: { selector } } };
      expect(verdictOf({ check, action })).toEqual({ verdict: "unknown", reason: "action-not-understood" });
    }
  });

  test("an action that failed does not count", () => {
    const check = { name: "dom:button_clicked", value: "#buy" };
    expect(verdictOf({ check, action: { successfully_executed: false } })?.verdict).toBe("fails");
  });

  test("without a browser nothing can be known, nor on a page that is nested without end", () => {
    const check = { name: "dom:cart", value: ".cart" };
    expect(verdictOf({ check, pages: ["", ""] })).toEqual({ verdict: "unknown", reason: "no-browser" });
    const deep = "<div>".repeat(200_000);
    expect(verdictOf({ check, pages: [deep] })).toEqual({
      verdict: "unknown",
      reason: "page-not-understood",
    });
  });
});

test("what is neither an event nor of the page is not decided", () => {
  expect(verdictOf({ check: { name: "judge:nice" } })).toEqual({
    verdict: "unknown",
    reason: "not-a-known-kind",
  });
});

test("a step's own checks are about that step, and the report counts agreement by name", () => {
  const episode = wholeEpisode({
    id: "e",
    pages,
    checks: [{ name: "dom:cart", passed: false, value: ".cart" }],
  });
  const tests = [{ name: "dom:form", passed: true, value: "form > input", details: {} }];
  const rechecks = recheckEpisode({ ...episode, steps: episode.steps.map((step) => ({ ...step, tests })) });
  expect(rechecks.map(({ name, step, found }) => [name, step, found.verdict])).toEqual([
    ["dom:cart", undefined, "holds"],
    ["dom:form", 0, "holds"],
    ["dom:form", 1, "fails"],
  ]);
  const report = new CheckReport();
  for (const recheck of rechecks) report.add(recheck);
  expect(report.list()).toEqual([
    { name: "dom:cart", agree: 0, claimedPassed: 0, claimedFailed: 1, unknown: 0, unclaimed: 0 },
    { name: "dom:form", agree: 1, claimedPassed: 1, claimedFailed: 0, unknown: 0, unclaimed: 0 },
  ]);
  expect(rechecks.filter(disagrees)).toHaveLength(2);
});
