import { toolArguments } from "../../atif/tool-arguments.ts";
import type { Assembler, Delta } from "../assembler.ts";
import { type Fields, fieldsOf, textIn } from "../fields.ts";

/** A content block as it grows; the text of its input apart, until it is whole. */
interface Block {
  block: Fields;
  input: string;
}

/** Deltas that grow a text of the block. */
const textDeltas = new Map<unknown, string>([
  ["text_delta", "text"],
  ["thinking_delta", "thinking"],
  ["signature_delta", "signature"],
]);

interface Answer {
  message?: Fields;
  blocks: Map<unknown, Block>;
  state: Assembler["state"];
  error?: unknown;
}

/** Events of Anthropic's Messages API. */
export function assembleMessages(): Assembler {
  const answer: Answer = { blocks: new Map(), state: "open" };
  return {
    push: (data) => take(answer, fieldsOf(data)),
    body: () => bodyOf(answer),
    get state() {
      return answer.state;
    },
    get error() {
      return answer.error;
    },
  };
}

function take(answer: Answer, event: Fields): Delta {
  switch (event.type) {
    case "content_block_delta":
      return pushDelta(answer.blocks, event);
    case "content_block_start":
      startBlock(answer.blocks, event);
      return {};
    case "message_start":
      answer.message = { ...fieldsOf(event.message) };
      return {};
    case "message_delta":
      answer.message = withDelta(answer.message ?? {}, event);
      return {};
    case "message_stop":
      if (answer.state === "open") answer.state = "whole";
      return {};
    default:
      noteError(answer, event);
      return {};
  }
}

/** Gateways send errors of their own form, without a type. */
function noteError(answer: Answer, event: Fields): void {
  if (event.type !== "error" && (event.type !== undefined || event.error === undefined)) return;
  answer.state = "failed";
  answer.error ??= event.error ?? event;
}

function startBlock(blocks: Map<unknown, Block>, { index, content_block: block }: Fields): void {
  blocks.set(index, { block: { ...fieldsOf(block) }, input: "" });
}

function pushDelta(blocks: Map<unknown, Block>, event: Fields): Delta {
  const known = blocks.get(event.index);
  if (known === undefined) return {};
  const delta = fieldsOf(event.delta);
  const field = textDeltas.get(delta.type);
  if (field !== undefined) return growText(known.block, field, textIn(delta[field]));
  if (delta.type === "input_json_delta") known.input += textIn(delta.partial_json);
  else if (delta.type === "citations_delta") {
    const citations = Array.isArray(known.block.citations) ? (known.block.citations as unknown[]) : [];
    known.block.citations = [...citations, delta.citation];
  } else {
    const { type: _, ...rest } = delta;
    Object.assign(known.block, rest);
  }
  return {};
}

function growText(block: Fields, field: string, text: string): Delta {
  block[field] = textIn(block[field]) + text;
  if (field === "text") return { text };
  return field === "thinking" ? { reasoning: text } : {};
}

/** Counts in `message_delta` are running totals; those of the prompt may be left out there. */
function withDelta(message: Fields, { type: _, delta, usage, ...rest }: Fields): Fields {
  const counts = Object.entries(fieldsOf(usage)).filter(([, value]) => value !== null);
  return {
    ...message,
    ...rest,
    ...fieldsOf(delta),
    usage: { ...fieldsOf(message.usage), ...Object.fromEntries(counts) },
  };
}

function bodyOf({ message, blocks }: Answer): Fields | undefined {
  if (message === undefined && blocks.size === 0) return undefined;
  const sorted = [...blocks].toSorted(([a], [b]) => Number(a) - Number(b));
  const content = sorted.map(([, { block, input }]) =>
    input === "" ? { ...block } : { ...block, input: toolArguments(input).arguments },
  );
  return { type: "message", role: "assistant", ...message, content };
}
