import { toolArguments } from "../../atif/tool-arguments.ts";
import type { Assembler, Delta } from "../assembler.ts";
import { type Fields, fieldsOf, textIn } from "../fields.ts";

interface Block {
  text?: string;
  use?: Fields;
  input: string;
  reasoning?: { text: string; signature: string; redacted: string };
}

/** Events of Bedrock's ConverseStream, each as `{ [event's name]: payload }`. */
export function assembleConverse(): Assembler {
  const body: Fields = {};
  const blocks = new Map<unknown, Block>();
  let role: string | undefined;
  let error: unknown;
  const push = (data: unknown): Delta => {
    const event = fieldsOf(data);
    const exception = Object.keys(event).find((name) => /Exception$/i.test(name));
    if (exception !== undefined) error ??= { type: exception, ...fieldsOf(event[exception]) };
    if (event.messageStart !== undefined) role = textIn(fieldsOf(event.messageStart).role);
    if (event.messageStop !== undefined) Object.assign(body, fieldsOf(event.messageStop));
    if (event.metadata !== undefined) Object.assign(body, fieldsOf(event.metadata));
    const { contentBlockIndex: startAt, start } = fieldsOf(event.contentBlockStart);
    if (start !== undefined) blockAt(blocks, startAt).use = fieldsOf(fieldsOf(start).toolUse);
    const { contentBlockIndex: index, delta } = fieldsOf(event.contentBlockDelta);
    return delta === undefined ? {} : pushDelta(blockAt(blocks, index), fieldsOf(delta));
  };
  return {
    push,
    body: () => (role === undefined && blocks.size === 0 ? undefined : bodyOf(body, blocks)),
    get state() {
      if (error !== undefined) return "failed";
      return typeof body.stopReason === "string" ? "whole" : "open";
    },
    get error() {
      return error;
    },
  };
}

function blockAt(blocks: Map<unknown, Block>, index: unknown): Block {
  const known = blocks.get(index);
  if (known !== undefined) return known;
  const made: Block = { input: "" };
  blocks.set(index, made);
  return made;
}

function pushDelta(block: Block, delta: Fields): Delta {
  if (typeof delta.text === "string") {
    block.text = (block.text ?? "") + delta.text;
    return { text: delta.text };
  }
  block.input += textIn(fieldsOf(delta.toolUse).input);
  if (delta.reasoningContent === undefined) return {};
  const said = fieldsOf(delta.reasoningContent);
  const reasoning = textIn(said.text);
  const known = block.reasoning ?? { text: "", signature: "", redacted: "" };
  block.reasoning = {
    text: known.text + reasoning,
    signature: known.signature + textIn(said.signature),
    redacted: known.redacted + textIn(said.redactedContent),
  };
  return reasoning === "" ? {} : { reasoning };
}

function bodyOf(body: Fields, blocks: ReadonlyMap<unknown, Block>): Fields {
  const sorted = [...blocks].toSorted(([a], [b]) => Number(a) - Number(b));
  const content = sorted.map(([, block]) => contentOf(block));
  return { output: { message: { role: "assistant", content } }, ...body };
}

function contentOf({ text, use, input, reasoning }: Block): Fields {
  if (use !== undefined) return { toolUse: { ...use, input: toolArguments(input).arguments } };
  if (reasoning === undefined) return { text: text ?? "" };
  if (reasoning.redacted !== "") return { reasoningContent: { redactedContent: reasoning.redacted } };
  const signature = reasoning.signature === "" ? {} : { signature: reasoning.signature };
  return { reasoningContent: { reasoningText: { text: reasoning.text, ...signature } } };
}
