import type { Assembler, Delta } from "../assembler.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../fields.ts";

/** Statuses of an answer at its end, by the event that brings it. */
const ends = new Set(["response.completed", "response.incomplete", "response.failed", "response.cancelled"]);

/** Where a delta's text goes: the list of parts, the index that says which, and the part's type and field. */
const partDeltas = new Map<string, [list: string, index: string, type: string, field: string]>([
  ["response.output_text.delta", ["content", "content_index", "output_text", "text"]],
  ["response.refusal.delta", ["content", "content_index", "refusal", "refusal"]],
  ["response.reasoning_text.delta", ["content", "content_index", "reasoning_text", "text"]],
  ["response.reasoning_summary_text.delta", ["summary", "summary_index", "summary_text", "text"]],
]);

/** Deltas that grow a field of the item itself. */
const fieldDeltas = new Map([
  ["response.function_call_arguments.delta", "arguments"],
  ["response.custom_tool_call_input.delta", "input"],
]);

interface Item {
  order: number;
  item: Fields;
  isDone: boolean;
}

/** Events of OpenAI's Responses API. The last one brings the whole body; a stream without it is put together of its items. */
export function assembleResponses(): Assembler {
  let head: Fields | undefined;
  let state: Assembler["state"] = "open";
  let error: unknown;
  const items = new Map<string, Item>();
  const end = (type: string): void => {
    state = type === "response.failed" ? "failed" : "whole";
    if (state === "failed") error = head?.error ?? "the response failed";
  };
  const push = (data: unknown): Delta => {
    const event = fieldsOf(data);
    const type = textIn(event.type);
    if (isError(type, event)) {
      state = "failed";
      error ??= event.error ?? event;
    }
    if (event.response !== undefined) head = { ...head, ...fieldsOf(event.response) };
    if (ends.has(type)) end(type);
    return pushItem(items, type, event);
  };
  return {
    push,
    body: () => (head === undefined && items.size === 0 ? undefined : bodyOf(head ?? {}, items)),
    get state() {
      return state;
    },
    get error() {
      return error;
    },
  };
}

function isError(type: string, event: Fields): boolean {
  return type === "error" || (type === "" && event.error !== undefined);
}

function pushItem(items: Map<string, Item>, type: string, event: Fields): Delta {
  if (type === "response.output_item.added" || type === "response.output_item.done") {
    placeItem(itemAt(items, event), fieldsOf(event.item), type.endsWith("done"));
    return {};
  }
  const delta = textIn(event.delta);
  const field = fieldDeltas.get(type);
  const part = partDeltas.get(type);
  if (delta === "" || (field === undefined && part === undefined)) return {};
  const known = itemAt(items, event);
  if (known.isDone) return {};
  if (field !== undefined) known.item[field] = textIn(known.item[field]) + delta;
  if (part !== undefined) growPart(known.item, part, event);
  if (type === "response.output_text.delta") return { text: delta };
  return type.startsWith("response.reasoning") ? { reasoning: delta } : {};
}

/** A copy grows, so that the events stay as they came. */
function placeItem(known: Item, item: Fields, isDone: boolean): void {
  if (known.isDone) return;
  known.item = isDone ? item : structuredClone(item);
  known.isDone = isDone;
}

/** Items are told apart by their place in the output, else by their id; one without either is a new one. */
function itemAt(items: Map<string, Item>, event: Fields): Item {
  const { output_index: index, item_id: id } = event;
  const key = String(index ?? id ?? fieldsOf(event.item).id ?? `#${items.size}`);
  const known = items.get(key);
  if (known !== undefined) return known;
  const order = typeof index === "number" ? index : items.size;
  const made: Item = { order, item: {}, isDone: false };
  items.set(key, made);
  return made;
}

function growPart(
  item: Fields,
  [list, indexName, type, field]: [string, string, string, string],
  event: Fields,
): void {
  item.type ??= list === "summary" || type === "reasoning_text" ? "reasoning" : "message";
  const parts = Array.isArray(item[list]) ? fieldsList(item[list]) : [];
  const index = typeof event[indexName] === "number" ? event[indexName] : parts.length - 1;
  const known = parts[index];
  if (known === undefined) parts.push({ type, [field]: event.delta });
  else known[field] = textIn(known[field]) + textIn(event.delta);
  item[list] = parts;
}

function bodyOf(head: Fields, items: ReadonlyMap<string, Item>): Fields {
  const streamed = [...items.values()].toSorted((a, b) => a.order - b.order).map(({ item }) => item);
  const isTold = Array.isArray(head.output) && head.output.length >= streamed.length;
  return { ...head, object: "response", output: isTold ? head.output : streamed };
}
