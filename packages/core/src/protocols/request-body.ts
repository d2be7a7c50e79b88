import { TracemillError } from "../errors.ts";
import type { ModelSettings } from "../ports/model-access.ts";
import type { ChatMessage } from "../ports/model-client.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import type { ModelProtocol } from "./protocol.ts";

/** What a request's body says beside the conversation. */
export interface BodyOptions {
  /** What the server calls the model. */
  model: string;
  settings: Pick<ModelSettings, "maxTokens" | "temperature" | "reasoningEffort" | "extraBody">;
  stream: boolean;
}

/** `extraBody` goes over what the settings make of a field; where both are objects, field by field. */
export function withExtra(body: Fields, extra: Readonly<Fields> | undefined): Fields {
  const merged = { ...body };
  for (const [key, value] of Object.entries(extra ?? {})) {
    const known = merged[key];
    const isBoth = isObject(known) && isObject(value);
    merged[key] = isBoth ? { ...fieldsOf(known), ...fieldsOf(value) } : value;
  }
  return merged;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** For APIs that know effort by words alone. @throws TracemillError `invalid-spec` for a number. */
export function effortWord(effort: string | number | undefined, where: string): string | undefined {
  if (typeof effort !== "number") return effort;
  throw new TracemillError(
    "invalid-spec",
    `\`reasoningEffort\`: ${where} takes a word (low, medium, high), not ${effort} tokens`,
  );
}

/** A tool in OpenAI form, its parts apart. */
export function toolParts(tool: Fields): {
  name: string;
  description?: unknown;
  parameters: Fields;
  strict?: unknown;
} {
  const { name, description, parameters, strict } = fieldsOf(tool.function);
  return {
    name: String(name),
    ...(description !== undefined && { description }),
    parameters: parameters === undefined ? { type: "object", properties: {} } : fieldsOf(parameters),
    ...(strict !== undefined && { strict }),
  };
}

/** What a protocol wants to see again of its own turns. Held back from all others. */
export interface Carry {
  protocol: ModelProtocol;
  /** The turn as the provider gave it: content blocks, items, or further fields of the message. */
  turn: unknown;
  /** Text and call ids that `turn` stands for: an agent may have changed the message since. */
  text: string;
  callIds: string[];
}

/** The turn as its provider gave it, where it is this protocol's; `isWhole`: the message still says the same. */
export function carriedTurn(
  message: ChatMessage,
  protocol: ModelProtocol,
): { turn: unknown; isWhole: boolean } | undefined {
  const carry = fieldsOf(message.carry) as Partial<Carry>;
  if (carry.protocol !== protocol) return undefined;
  const ids = (message.tool_calls ?? []).map(({ id }) => id);
  const isWhole = carry.text === message.content && ids.join("\n") === carry.callIds?.join("\n");
  return { turn: carry.turn, isWhole };
}
