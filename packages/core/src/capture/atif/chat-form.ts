import { writeChatMessages } from "../../atif/from-chat.ts";
import { type Fields, fieldsList, fieldsOf } from "../../protocols/fields.ts";
import type { ConversationForm, Entry } from "./entries.ts";
import { callKey, resultKey, saidKey } from "./entry-key.ts";

export const chatForm: ConversationForm = {
  system: () => "",
  entries: ({ messages }) => fieldsList(messages).map(entryOf),
  answer: ({ choices }) => {
    const { message } = fieldsOf(fieldsList(choices)[0]);
    return message === undefined ? [] : [entryOf({ role: "assistant", ...fieldsOf(message) }, 0)];
  },
  tools: ({ tools }) => fieldsList(tools),
  write: (entries, writer) =>
    writeChatMessages(
      entries.map(({ item }) => fieldsOf(item)),
      writer,
    ),
};

function entryOf(item: Fields, message: number): Entry {
  const { role, content } = item;
  if (role === "tool" || role === "function") {
    return { key: resultKey(item.tool_call_id ?? item.name), isAgent: false, item, message };
  }
  if (role !== "assistant") return { key: saidKey(String(role), content), isAgent: false, item, message };
  const ids = fieldsList(item.tool_calls).map(({ id }) => id);
  const key = ids.length > 0 ? callKey(...ids) : saidKey("assistant", content);
  return { key, isAgent: true, item, message };
}
