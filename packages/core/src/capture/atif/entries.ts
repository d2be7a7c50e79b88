import type { StepWriter } from "../../atif/step-writer.ts";
import type { Fields } from "../../protocols/fields.ts";
import type { ModelProtocol } from "../../protocols/protocol.ts";
import { chatForm } from "./chat-form.ts";
import { converseForm, messagesForm } from "./messages-form.ts";
import { responsesForm } from "./responses-form.ts";

/** One thing that a conversation holds: a message, a block of one, or an item. */
export interface Entry {
  /**
   * The same for the same thing in each request that repeats it. Calls and results are known by their ids, since
   * clients shorten what they send again. Absent: things that may be left out when they are sent again (reasoning).
   */
  key?: string;
  isAgent: boolean;
  /** As the provider's protocol has it. */
  item: Fields | string;
  /** Entries of one message have the same number. */
  message: number;
}

/** How a protocol's requests and answers hold a conversation. */
export interface ConversationForm {
  /** Instructions that stand apart from the conversation. */
  system(request: Fields): string;
  entries(request: Fields): Entry[];
  answer(body: Fields): Entry[];
  /** In OpenAI form. */
  tools(request: Fields): Fields[];
  /** Writes entries that follow each other. */
  write(entries: readonly Entry[], writer: StepWriter): void;
}

const forms: Record<ModelProtocol, ConversationForm> = {
  "chat-completions": chatForm,
  responses: responsesForm,
  messages: messagesForm,
  converse: converseForm,
};

export function formOf(protocol: ModelProtocol): ConversationForm {
  return forms[protocol];
}
