import type { ChatMessage } from "../ports/model-client.ts";

export interface Turn {
  role: "user" | "assistant";
  messages: ChatMessage[];
}

/**
 * A conversation as Anthropic and Bedrock want it: instructions apart, then turns of user and assistant by turns, where
 * what tools answered is the user's. Instructions in mid-conversation come as the user's words.
 */
export function turnsOf(messages: readonly ChatMessage[]): { system: string; turns: Turn[] } {
  const first = messages.findIndex(({ role }) => role !== "system");
  const begin = first === -1 ? messages.length : first;
  const system = messages.slice(0, begin).map(({ content }) => content);
  const turns: Turn[] = [];
  for (const message of messages.slice(begin)) {
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = turns.at(-1);
    if (last?.role === role) last.messages.push(message);
    else turns.push({ role, messages: [message] });
  }
  return { system: system.filter((text) => text.trim() !== "").join("\n\n"), turns };
}

/** Ids of calls may hold letters, digits, `_` and `-` alone; a replayed or another provider's may hold more. */
export function plainId(id: string | undefined): string {
  return (id ?? "").replace(/[^\w-]/g, "_") || "_";
}
