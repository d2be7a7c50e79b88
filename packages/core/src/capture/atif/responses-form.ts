import { writeResponseItems } from "../../atif/from-responses.ts";
import { type Fields, fieldsList, fieldsOf, textIn } from "../../protocols/fields.ts";
import type { ConversationForm, Entry } from "./entries.ts";
import { callKey, resultKey, saidKey } from "./entry-key.ts";

export const responsesForm: ConversationForm = {
  system: ({ instructions }) => textIn(instructions),
  entries: ({ input }) => {
    if (typeof input === "string") return [entryOf({ role: "user", content: input }, 0)];
    return fieldsList(input).map(entryOf);
  },
  answer: ({ output }) => fieldsList(output).map(entryOf),
  tools: ({ tools }) => fieldsList(tools).map(toolOf),
  write: (entries, writer) => {
    for (const { item, isAgent } of entries) {
      if (isAgent || isConvertible(item)) writeResponseItems([item], writer);
      // Put there by the program or the provider: no turn of the model.
      else writer.say("user", { content: "", extra: { unconverted: [item] } });
    }
  },
};

function isConvertible(item: Entry["item"]): boolean {
  const type = textIn(fieldsOf(item).type) || "message";
  return type === "message" || type.endsWith("_call_output");
}

function entryOf(item: Fields, message: number): Entry {
  const type = textIn(item.type) || "message";
  const isAgent = isAgents(type, item.role);
  const key = keyOf(type, item);
  return { ...(key !== undefined && { key }), isAgent, item, message };
}

function isAgents(type: string, role: unknown): boolean {
  return type === "message" ? role === "assistant" : type === "reasoning" || type.endsWith("_call");
}

function keyOf(type: string, item: Fields): string | undefined {
  if (type === "message") return saidKey(String(item.role), item.content);
  if (type === "reasoning") return undefined;
  if (type.endsWith("_call_output")) return resultKey(item.call_id);
  return type.endsWith("_call") ? callKey(item.call_id ?? item.id) : saidKey(type, [item]);
}

/** Functions as chat completions have them; tools of other kinds stay as they are. */
function toolOf(tool: Fields): Fields {
  const { type, ...rest } = tool;
  return type === "function" && fieldsOf(tool.function).name === undefined ? { type, function: rest } : tool;
}
