import type { Assembler, Delta } from "../assembler.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../fields.ts";

/** Texts of a delta that grow; all other fields are replaced by what came last. */
const growing = new Set(["content", "reasoning", "reasoning_content", "refusal"]);

interface Choice {
  message: Fields;
  calls: Call[];
  /** Which call the deltas of an index belong to now. */
  byIndex: Map<unknown, Call>;
  rest: Fields;
}

type Call = Fields & { function: Fields };

/** OpenAI's chat completion chunks, and what vLLM, OpenRouter and others add to them. */
export function assembleChat(): Assembler {
  const head: Fields = {};
  const choices = new Map<number, Choice>();
  let isDone = false;
  let error: unknown;
  const push = (data: unknown): Delta => {
    if (data === "[DONE]") isDone = true;
    const { choices: deltas, error: said, ...rest } = fieldsOf(data);
    if (said !== undefined && said !== null) error ??= said;
    mergeHead(head, rest);
    return fieldsList(deltas).reduce<Delta>((seen, delta) => {
      const index = typeof delta.index === "number" ? delta.index : 0;
      const told = pushChoice(choiceAt(choices, index), delta);
      return index === 0 ? told : seen;
    }, {});
  };
  return {
    push,
    body: () => (choices.size === 0 ? undefined : bodyOf(head, choices)),
    get state() {
      if (error !== undefined) return "failed";
      const finished = [...choices.values()].every(({ rest }) => typeof rest.finish_reason === "string");
      return choices.size > 0 && (isDone || finished) ? "whole" : "open";
    },
    get error() {
      return error;
    },
  };
}

/** `null` takes nothing back: usage comes once, and is null in the chunks around it. */
function mergeHead(head: Fields, rest: Fields): void {
  for (const [key, value] of Object.entries(rest)) {
    if (value !== null || !(key in head)) head[key] = value;
  }
}

function choiceAt(choices: Map<number, Choice>, index: number): Choice {
  const known = choices.get(index);
  if (known !== undefined) return known;
  const made: Choice = { message: {}, calls: [], byIndex: new Map(), rest: {} };
  choices.set(index, made);
  return made;
}

function pushChoice(choice: Choice, { delta, message, logprobs, token_ids: ids, ...rest }: Fields): Delta {
  const { index: _, ...facts } = rest;
  mergeHead(choice.rest, facts);
  growLogprobs(choice.rest, logprobs);
  if (Array.isArray(ids)) choice.rest.token_ids = grown(choice.rest.token_ids, ids);
  // Servers that do not stream after all send the whole message.
  const said = fieldsOf(delta ?? message);
  for (const [key, value] of Object.entries(said)) growMessage(choice.message, key, value);
  for (const call of fieldsList(said.tool_calls)) pushCall(choice, call);
  const reasoning = textIn(said.reasoning) || textIn(said.reasoning_content);
  const text = textIn(said.content);
  return { ...(text !== "" && { text }), ...(reasoning !== "" && { reasoning }) };
}

function growMessage(message: Fields, key: string, value: unknown): void {
  if (key === "tool_calls" || value === null || value === undefined) return;
  const known = message[key];
  if (growing.has(key) && typeof value === "string") message[key] = textIn(known) + value;
  else if (Array.isArray(value)) message[key] = grown(known, value);
  else message[key] = value;
}

function growLogprobs(rest: Fields, logprobs: unknown): void {
  const known = fieldsOf(rest.logprobs);
  for (const [key, value] of Object.entries(fieldsOf(logprobs))) {
    known[key] = Array.isArray(value) ? grown(known[key], value) : (known[key] ?? value);
    rest.logprobs = known;
  }
}

/** Grown in place: an answer of 100,000 tokens brings a list of one with each. */
function grown(known: unknown, more: readonly unknown[]): unknown[] {
  const list = Array.isArray(known) ? (known as unknown[]) : [];
  for (const entry of more) list.push(entry);
  return list;
}

/**
 * A piece of a call goes to the call of its index. Another id beside a name begins another call, whatever the index:
 * some servers send every call whole under index 0.
 */
function pushCall({ calls, byIndex }: Choice, { index, function: called, ...rest }: Fields): void {
  const { name, arguments: args, ...others } = fieldsOf(called);
  const id = textIn(rest.id);
  const known = index === undefined ? calls.at(-1) : byIndex.get(index);
  const isOther = id !== "" && known?.id !== id && textIn(known?.id) !== "" && textIn(name) !== "";
  const call = known === undefined || isOther ? begun(calls) : known;
  byIndex.set(index, call);
  mergeHead(call, id === "" ? without(rest, "id") : rest);
  mergeHead(call.function, others);
  if (textIn(name) !== "") call.function.name = name;
  if (typeof args === "string") call.function.arguments = textIn(call.function.arguments) + args;
  else if (args !== undefined && args !== null) call.function.arguments = args;
}

function begun(calls: Call[]): Call {
  const call: Call = { type: "function", function: { arguments: "" } };
  calls.push(call);
  return call;
}

function without({ ...fields }: Fields, key: string): Fields {
  delete fields[key];
  return fields;
}

function bodyOf(head: Fields, choices: ReadonlyMap<number, Choice>): Fields {
  const sorted = [...choices].toSorted(([a], [b]) => a - b);
  return {
    ...head,
    object: "chat.completion",
    choices: sorted.map(([index, { message, calls, rest }]) => ({
      index,
      message: {
        role: "assistant",
        content: null,
        ...message,
        ...(calls.length > 0 && { tool_calls: calls.map((call) => ({ ...call })) }),
      },
      finish_reason: null,
      ...rest,
    })),
  };
}
