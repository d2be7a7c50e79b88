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

/** A turn's content, by the blocks of each message: what tools answered has to come before anything else that the user says. */
export function contentOf<Block>({ messages }: Turn, blocksOf: (message: ChatMessage) => Block[]): Block[] {
  const ordered = messages.toSorted((a, b) => Number(b.role === "tool") - Number(a.role === "tool"));
  return ordered.flatMap(blocksOf);
}

/**
 * The content of the user's last two turns marked for the provider's cache: the last one, which the next request reads
 * again, and the one before it, which the request before this one wrote.
 */
export function withMarks<Message extends { role: Turn["role"]; content: unknown[] }>(
  messages: readonly Message[],
  marked: (content: Message["content"]) => Message["content"],
): Message[] {
  const ofUser = messages.flatMap(({ role }, index) => (role === "user" ? [index] : []));
  const chosen = new Set(ofUser.slice(-2));
  return messages.map((message, index) =>
    chosen.has(index) ? { ...message, content: marked(message.content) } : message,
  );
}

/** Ids of calls may hold letters, digits, `_` and `-` alone; a replayed or another provider's may hold more. */
export function plainId(id: string | undefined): string {
  return (id ?? "").replace(/[^\w-]/g, "_") || "_";
}
