import {
  messageText,
  toolDefinitions,
  writeAnswer,
  writeUserContent,
} from "../../atif/native/claude-blocks.ts";
import type { StepWriter } from "../../atif/step-writer.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../../protocols/fields.ts";
import type { ConversationForm, Entry } from "./entries.ts";
import { callKey, resultKey, saidKey } from "./entry-key.ts";

export const messagesForm: ConversationForm = {
  // Claude Code's first block names its build and differs between requests; the model is not shown it.
  system: ({ system }) => messageText(system).replace(/^x-anthropic-billing-header:.*\n*/, ""),
  entries: ({ messages }) => fieldsList(messages).flatMap(messageEntries),
  answer: ({ content }) => messageEntries({ role: "assistant", content }, 0),
  tools: ({ tools }) => toolDefinitions(tools),
  write: writeBlocks,
};

/** Bedrock's blocks are told in Anthropic's form. */
export const converseForm: ConversationForm = {
  system: ({ system }) => messageText(system),
  entries: ({ messages }) => fieldsList(messages).map(anthropicMessage).flatMap(messageEntries),
  answer: ({ output }) => messageEntries(anthropicMessage(fieldsOf(fieldsOf(output).message)), 0),
  tools: ({ toolConfig }) =>
    toolDefinitions(
      fieldsList(fieldsOf(toolConfig).tools).flatMap(({ toolSpec }) => {
        const { name, description, inputSchema } = fieldsOf(toolSpec);
        return name === undefined
          ? []
          : [{ name, description, input_schema: fieldsOf(inputSchema).json ?? {} }];
      }),
    ),
  write: writeBlocks,
};

/** An entry's item is its block, with the message's role. */
function messageEntries({ role, content }: Fields, message: number): Entry[] {
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : fieldsList(content);
  return blocks.map((block) => {
    const key = keyOf(String(role), block);
    return {
      ...(key !== undefined && { key }),
      isAgent: role === "assistant",
      item: { role, block },
      message,
    };
  });
}

function keyOf(role: string, block: Fields): string | undefined {
  const type = textIn(block.type);
  if (type.endsWith("thinking")) return undefined;
  if (type.endsWith("tool_use")) return callKey(block.id);
  if (type.endsWith("tool_result")) return resultKey(block.tool_use_id);
  return saidKey(role, [block]);
}

/** Blocks of one message are one step. */
function writeBlocks(entries: readonly Entry[], writer: StepWriter): void {
  for (const group of groups(entries)) {
    const items = group.map(({ item }) => fieldsOf(item));
    const role = items[0]?.role;
    const content = items.map(({ block }) => block);
    if (role === "assistant") writeAnswer(content, writer);
    else if (role === "system") writer.say("system", { content: messageText(content), extra: {} });
    else writeUserContent(content, writer, {}, undefined);
  }
}

function groups(entries: readonly Entry[]): Entry[][] {
  const found: Entry[][] = [];
  for (const entry of entries) {
    const last = found.at(-1);
    if (last?.[0]?.message === entry.message) last.push(entry);
    else found.push([entry]);
  }
  return found;
}

function anthropicMessage({ role, content }: Fields): Fields {
  return { role, content: fieldsList(content).flatMap(anthropicBlock) };
}

function anthropicBlock(block: Fields): Fields[] {
  const { text, toolUse, toolResult, reasoningContent, cachePoint } = block;
  if (cachePoint !== undefined) return [];
  if (typeof text === "string") return [{ type: "text", text }];
  if (toolUse !== undefined) {
    const { toolUseId: id, name, input } = fieldsOf(toolUse);
    return [{ type: "tool_use", id, name, input }];
  }
  if (toolResult !== undefined) return [anthropicResult(fieldsOf(toolResult))];
  return reasoningContent === undefined ? [block] : [anthropicThinking(fieldsOf(reasoningContent))];
}

function anthropicResult({ toolUseId, content, status }: Fields): Fields {
  const parts = fieldsList(content).map((part) =>
    part.json === undefined ? { type: "text", ...part } : { type: "text", text: JSON.stringify(part.json) },
  );
  return { type: "tool_result", tool_use_id: toolUseId, content: parts, is_error: status === "error" };
}

function anthropicThinking({ reasoningText, redactedContent }: Fields): Fields {
  if (redactedContent !== undefined) return { type: "redacted_thinking", data: redactedContent };
  const { text, signature } = fieldsOf(reasoningText);
  return { type: "thinking", thinking: textIn(text), signature };
}
