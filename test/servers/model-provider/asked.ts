import type { IncomingHttpHeaders } from "node:http";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";

export interface AskedMessage {
  role: "system" | "user" | "assistant" | "tool";
  /** The texts of all parts, joined by line ends. */
  text: string;
  reasoning?: string;
  toolCalls?: { id: string; name: string; arguments: Fields }[];
  /** Which call a `tool` message answers. */
  callId?: string;
}

export interface AskedTool {
  name: string;
  description?: string;
  /** JSON schema of its arguments. */
  schema?: Fields;
  /** A tool of the Responses API that takes bare text. */
  isFreeform?: true;
}

/** What a model was asked, the same in every protocol; `body` is what came over the wire. */
export interface AskedModel {
  protocol: ModelProtocol;
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  rawBody: string;
  body: Fields;
  model: string;
  stream: boolean;
  messages: AskedMessage[];
  tools: AskedTool[];
}

export type Fields = Record<string, unknown>;

/** Reads a request's body into what every protocol has. */
export function readAsked(
  protocol: ModelProtocol,
  request: { method: string; path: string; headers: IncomingHttpHeaders; rawBody: string },
): AskedModel {
  const body = JSON.parse(request.rawBody) as Fields;
  const isConverse = protocol === "converse";
  const pathModel = /\/model\/([^/]+)\//.exec(request.path)?.[1] ?? "";
  return {
    ...request,
    protocol,
    body,
    model: isConverse ? decodeURIComponent(pathModel) : String(body.model),
    stream: isConverse ? request.path.endsWith("-stream") : body.stream === true,
    messages: readers[protocol](body),
    tools: toolsOf(body),
  };
}

const readers: Record<ModelProtocol, (body: Fields) => AskedMessage[]> = {
  "chat-completions": (body) => list(body.messages).map(chatMessage),
  responses: (body) => [
    ...systemMessage(body.instructions),
    ...(typeof body.input === "string"
      ? [{ role: "user" as const, text: body.input }]
      : list(body.input).map(responsesItem)),
  ],
  messages: (body) => [...systemMessage(body.system), ...list(body.messages).flatMap(blockMessages)],
  converse: (body) => [...systemMessage(body.system), ...list(body.messages).flatMap(blockMessages)],
};

function systemMessage(value: unknown): AskedMessage[] {
  const text = textOf(value);
  return text === "" ? [] : [{ role: "system", text }];
}

function chatMessage(message: Fields): AskedMessage {
  const reasoning = message.reasoning_content ?? message.reasoning;
  const calls = list(message.tool_calls).map((call) => {
    const called = call.function as Fields;
    return { id: String(call.id), name: String(called.name), arguments: parsed(called.arguments) };
  });
  return {
    role: roleOf(message.role),
    text: textOf(message.content),
    ...(typeof reasoning === "string" && { reasoning }),
    ...(calls.length > 0 && { toolCalls: calls }),
    ...(message.tool_call_id !== undefined && { callId: String(message.tool_call_id) }),
  };
}

function responsesItem(item: Fields): AskedMessage {
  const type = String(item.type ?? "message");
  if (type === "message") return { role: roleOf(item.role), text: textOf(item.content) };
  if (type === "reasoning") {
    return { role: "assistant", text: "", reasoning: textOf([...list(item.summary), ...list(item.content)]) };
  }
  if (type.endsWith("_call_output")) {
    return { role: "tool", text: textOf(item.output), callId: String(item.call_id) };
  }
  if (!type.endsWith("_call")) return { role: "user", text: "" };
  const args = item.arguments === undefined ? (item.input ?? item.action) : item.arguments;
  const call = { id: String(item.call_id), name: String(item.name ?? type), arguments: parsed(args) };
  return { role: "assistant", text: "", toolCalls: [call] };
}

/** A message of Anthropic's or Bedrock's; results of tools, which stand in user messages there, come apart. */
function blockMessages(message: Fields): AskedMessage[] {
  const blocks = typeof message.content === "string" ? [{ text: message.content }] : list(message.content);
  const results = blocks.flatMap((block): AskedMessage[] => {
    const result = (block.toolResult ?? (block.type === "tool_result" ? block : undefined)) as
      | Fields
      | undefined;
    if (result === undefined) return [];
    return [
      { role: "tool", text: textOf(result.content), callId: String(result.tool_use_id ?? result.toolUseId) },
    ];
  });
  const calls = blocks.flatMap((block) => {
    const use = (block.toolUse ?? (block.type === "tool_use" ? block : undefined)) as Fields | undefined;
    if (use === undefined) return [];
    return [{ id: String(use.id ?? use.toolUseId), name: String(use.name), arguments: parsed(use.input) }];
  });
  const reasoning = blocks.map(thinkingOf).join("");
  const text = textOf(blocks.filter((block) => typeof block.text === "string"));
  if (text === "" && reasoning === "" && calls.length === 0) return results;
  const said: AskedMessage = {
    role: roleOf(message.role),
    text,
    ...(reasoning !== "" && { reasoning }),
    ...(calls.length > 0 && { toolCalls: calls }),
  };
  return [...results, said];
}

function thinkingOf(block: Fields): string {
  if (typeof block.thinking === "string") return block.thinking;
  const reasoning = (block.reasoningContent as Fields | undefined)?.reasoningText as Fields | undefined;
  return typeof reasoning?.text === "string" ? reasoning.text : "";
}

function toolsOf(body: Fields): AskedTool[] {
  const tools = list(body.tools ?? (body.toolConfig as Fields | undefined)?.tools);
  return tools.map((tool) => {
    const inner = (tool.function ?? tool.toolSpec ?? tool) as Fields;
    const wrapped = inner.inputSchema as Fields | undefined;
    const schema = (inner.parameters ?? inner.input_schema ?? wrapped?.json) as Fields | undefined;
    return {
      name: String(inner.name ?? inner.type),
      ...(typeof inner.description === "string" && { description: inner.description }),
      ...(schema !== undefined && { schema }),
      ...(tool.type === "custom" && tool.input_schema === undefined && { isFreeform: true as const }),
    };
  });
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  const texts = list(value).map((part) => {
    if (typeof part.text === "string") return part.text;
    return part.json === undefined ? "" : JSON.stringify(part.json);
  });
  return texts.filter((text) => text !== "").join("\n");
}

function roleOf(role: unknown): AskedMessage["role"] {
  if (role === "developer" || role === "system") return "system";
  return role === "assistant" || role === "tool" ? role : "user";
}

function parsed(args: unknown): Fields {
  if (typeof args !== "string") return (args ?? {}) as Fields;
  try {
    return JSON.parse(args) as Fields;
  } catch {
    return { _raw: args };
  }
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : [];
}
