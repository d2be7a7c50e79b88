import { compile, is, selectOne } from "css-select";
import { textContent } from "domutils";
import { isTracemillError } from "../../errors.ts";
import type { EpisodeCheck, EpisodeStep } from "../episode.ts";
import { pageContent, pageTree } from "../page.ts";
import { firstOf, isFields } from "../read-recording.ts";
import { unknown, type Verdict } from "./verdict.ts";

type Node = ReturnType<typeof pageTree>[number];
type Element = Parameters<typeof textContent>[0] & Node;

/** What a DOM check looks for. */
type Target = { selector: string } | { text: string };

/** The last word of a check's name says what must be so. */
const clicks = new Set(["clicked", "pressed", "tapped", "submitted"]);
const inputs = new Set(["typed", "filled", "entered", "selected", "input"]);
const absences = new Set(["absent", "hidden", "gone", "removed", "missing", "closed"]);

/**
 * `dom:NAME` is about a CSS selector (`details.selector`, or a `value` that reads as one) or a text (`details.text`,
 * or any other `value`). The end of NAME says what about it:
 * - `…_clicked`, `…_pressed`, `…_tapped`, `…_submitted`; `…_typed`, `…_filled`, `…_entered`, `…_selected`: an action
 *   of that kind on it, at one of the steps;
 * - `…_absent`, `…_hidden`, `…_gone`, `…_removed`, `…_missing`, `…_closed`: it is not on the last page;
 * - anything else (`…_visible`, `…_present`): it is on the last page.
 * "On the page" is in its HTML: what scripts and styles hide cannot be known.
 */
export function recheckDom(name: string, check: EpisodeCheck, steps: readonly EpisodeStep[]): Verdict {
  const target = targetOf(check);
  if (target === undefined) return unknown("nothing-to-look-for");
  if (steps.every(({ action_result: result }) => result.browser_snapshot.current_html === "")) {
    return unknown("no-browser");
  }
  try {
    const [last = ""] = name
      .toLowerCase()
      .split(/[_\-\s]+/)
      .slice(-1);
    if (clicks.has(last) || inputs.has(last))
      return acted(clicks.has(last) ? isClick : isInput, target, steps);
    return onLastPage(target, !absences.has(last), steps);
  } catch (error) {
    // css-what and css-select throw plain errors for selectors that they do not know.
    return unknown(
      isTracemillError(error, "unsupported") ? "page-not-understood" : "selector-not-understood",
    );
  }
}

function targetOf({ value, details }: EpisodeCheck): Target | undefined {
  if (typeof details.selector === "string" && details.selector !== "") return { selector: details.selector };
  if (typeof details.text === "string" && details.text !== "") return { text: details.text };
  if (typeof value !== "string" || value.trim() === "") return undefined;
  return readsAsSelector(value) ? { selector: value } : { text: value };
}

/** `#buy`, `.cart`, `[name=q]`, `button.primary`, `a[href]`, `form > input`; never words alone. */
function readsAsSelector(value: string): boolean {
  return /^\s*[a-z0-9-]*(?:[#.][A-Za-z_-]|\[[^\]]+\]|\s*>\s*[a-z#.[])/.test(value);
}

function onLastPage(target: Target, wanted: boolean, steps: readonly EpisodeStep[]): Verdict {
  const last = steps.at(-1);
  if (last === undefined) return unknown("no-browser");
  const isThere = isOn(last.action_result.browser_snapshot.current_html, target);
  const evidence = `${nameOf(target)} ${isThere ? "is" : "is not"} on the last page`;
  return isThere === wanted
    ? { verdict: "holds", step: last.index, evidence }
    : { verdict: "fails", evidence };
}

function isOn(html: string, target: Target): boolean {
  if ("selector" in target) return elementOn(html, target.selector) !== null;
  return fold(pageContent(html).text).includes(fold(target.text));
}

function fold(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim().toLowerCase();
}

function isClick(kind: string): boolean {
  return /click|tap|submit|press/.test(kind);
}

function isInput(kind: string): boolean {
  return /type|fill|select|input|send_?keys/.test(kind);
}

function acted(isKind: (kind: string) => boolean, target: Target, steps: readonly EpisodeStep[]): Verdict {
  const done = steps.filter(({ action_result: result }) => isKind(result.action.kind.toLowerCase()));
  const places = done.map(
    ({ action_result: result }) => result.successfully_executed && isActionOn(target, result),
  );
  const step = done[places.indexOf(true)];
  if (step !== undefined) {
    const { kind } = step.action_result.action;
    return { verdict: "holds", step: step.index, evidence: `${kind} on ${nameOf(target)}` };
  }
  if ("selector" in target) compile(target.selector);
  if (places.includes(undefined)) return unknown("action-not-understood");
  return { verdict: "fails", evidence: `${done.length} such actions, none on ${nameOf(target)}` };
}

/**
 * The action names the target, or its element on the page before is the target. `undefined` for an action that names
 * no element in a form that is understood, such as a click at a point.
 */
function isActionOn(
  target: Target,
  { action, browser_snapshot: page }: EpisodeStep["action_result"],
): boolean | undefined {
  const selector = cssOf(firstOf(action.args.selector, page.action.args.selector));
  if (selector === undefined) return undefined;
  if ("selector" in target && selector === target.selector) return true;
  const element = elementOn(page.prev_html, selector);
  if (element === null) return false;
  if ("selector" in target) return is(element, target.selector);
  return fold(textContent(element)).includes(fold(target.text));
}

function elementOn(html: string, selector: string) {
  return selectOne<Node, Element>(selector, pageTree(html));
}

/** A recorded selector in CSS, where it has a form in it: text, or autoppia_iwa's `{type, attribute, value}`. */
function cssOf(selector: unknown): string | undefined {
  if (typeof selector === "string") return selector;
  if (!isFields(selector) || selector.type !== "attributeValueSelector") return undefined;
  const { attribute, value } = selector;
  if (typeof value !== "string" || value === "") return undefined;
  if (typeof attribute !== "string" || !/^[A-Za-z_:][\w:.-]*$/.test(attribute)) return value;
  return attribute === "id" && /^[A-Za-z_][\w-]*$/.test(value)
    ? `#${value}`
    : `[${attribute}=${JSON.stringify(value)}]`;
}

function nameOf(target: Target): string {
  return "selector" in target ? target.selector : JSON.stringify(target.text);
}
