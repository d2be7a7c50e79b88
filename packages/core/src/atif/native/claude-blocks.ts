import { isFields, type SourceContent, sourceContent } from "../source-content.ts";
import type { StepWriter } from "../step-writer.ts";
import type { Metrics } from "../trajectory.ts";
import { countOf, fieldsOf, type Line, textOf } from "./log-lines.ts";

/** Writes the content of an assistant message of Anthropic's Messages API. */
export function writeAnswer(content: unknown, writer: StepWriter): void {
  for (const block of blocksOf(content)) {
    if (isFields(block)) writeAnswerBlock(block, writer);
    else writer.note({ unconverted: [block] });
  }
}

function writeAnswerBlock(block: Line, writer: StepWriter): void {
  const type = String(block.type);
  if (type === "text") writer.speak(sourceContent([block]));
  else if (type === "thinking") writeThinking(block, writer);
  else if (type === "redacted_thinking") writer.note({ encrypted_reasoning: [block.data] });
  else if (type === "tool_use" || type === "server_tool_use" || type === "mcp_tool_use")
    writer.call({ id: textOf(block.id), name: textOf(block.name) ?? type, arguments: block.input });
  else if (type.endsWith("_tool_result")) writer.observe(textOf(block.tool_use_id), resultOf(block));
  else writer.note({ unconverted: [block] });
}

function writeThinking({ thinking, signature }: Line, writer: StepWriter): void {
  if (typeof thinking === "string") writer.think(thinking);
  if (textOf(signature) !== undefined) writer.note({ thinking_signatures: [signature] });
}

/**
 * Writes the content of a user message: results of tools go to the calls that they answer, the rest is what was said.
 * @param extra facts of what was said.
 */
export function writeUserContent(
  content: unknown,
  writer: StepWriter,
  extra: Record<string, unknown>,
  timestamp: string | undefined,
): void {
  const said: unknown[] = [];
  for (const block of blocksOf(content)) {
    if (isFields(block) && String(block.type).endsWith("tool_result"))
      writer.observe(textOf(block.tool_use_id), resultOf(block));
    else said.push(block);
  }
  if (said.length === 0) return;
  const converted = contentOf(said);
  writer.say("user", { content: converted.content, extra: { ...converted.extra, ...extra } });
  writer.at(timestamp);
}

function resultOf(block: Line): SourceContent {
  const { content, extra } = contentOf(block.content);
  return { content, extra: { ...extra, ...(block.is_error === true && { is_error: true }) } };
}

/** Anthropic's parts as `sourceContent` takes them: its images become data URLs. */
function contentOf(content: unknown): SourceContent {
  return sourceContent(Array.isArray(content) ? content.map(partOf) : content);
}

function partOf(part: unknown): unknown {
  const source = fieldsOf(fieldsOf(part).source);
  if (fieldsOf(part).type !== "image") return part;
  if (source.type === "url") return { image_url: source.url };
  if (source.type !== "base64") return part;
  return { image_url: `data:${String(source.media_type)};base64,${String(source.data)}` };
}

function blocksOf(content: unknown): unknown[] {
  if (Array.isArray(content)) return content;
  return content === undefined || content === null || content === "" ? [] : [textBlock(content)];
}

function textBlock(content: unknown): unknown {
  return typeof content === "string" ? { type: "text", text: content } : content;
}

/** All text of a message's content, its blocks joined by an empty line. */
export function messageText(content: unknown): string {
  const texts = blocksOf(content).map((block) => (typeof block === "string" ? block : fieldsOf(block).text));
  return texts.flatMap((text) => (typeof text === "string" && text !== "" ? [text] : [])).join("\n\n");
}

/** Anthropic counts what is read from its cache, and written to it, apart from `input_tokens`; ATIF counts them in. */
export function usageMetrics(usage: Line): Partial<Metrics> {
  if (Object.keys(usage).length === 0) return {};
  const cached = countOf(usage.cache_read_input_tokens);
  const written = countOf(usage.cache_creation_input_tokens);
  return {
    prompt_tokens: countOf(usage.input_tokens) + cached + written,
    completion_tokens: countOf(usage.output_tokens),
    cached_tokens: cached,
    ...(written > 0 && { extra: { cache_write_tokens: written } }),
  };
}

/** Anthropic's tools in OpenAI's form; those that the provider runs itself have no schema and stay as they are. */
export function toolDefinitions(tools: unknown): Record<string, unknown>[] {
  if (!Array.isArray(tools)) return [];
  return tools.filter(isFields).map((tool) => {
    const { name, description, input_schema: parameters } = tool;
    if (parameters === undefined) return { ...tool };
    return {
      type: "function",
      function: { name, ...(description !== undefined && { description }), parameters },
    };
  });
}
