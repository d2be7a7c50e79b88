import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";

/** An exchange of a chat as a proxy records it. @param at seconds after noon when it began; it took one. */
export function capturedExchange(
  sessionId: string,
  id: string,
  at = 0,
  changes: Partial<HttpExchange> = {},
): HttpExchange {
  const time = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 12, 0, seconds)).toISOString();
  return {
    kind: "http",
    id,
    sessionId,
    startedAt: time(at),
    endedAt: time(at + 1),
    method: "POST",
    url: "https://api.openai.com/v1/chat/completions",
    protocol: "chat-completions",
    model: "gpt-test",
    request: {
      headers: { "content-type": "application/json" },
      body: { model: "gpt-test", messages: [{ role: "user", content: `question ${id}` }] },
    },
    response: {
      status: 200,
      headers: { "content-type": "application/json" },
      body: { choices: [{ message: { role: "assistant", content: `answer ${id}` } }] },
    },
    usage: { promptTokens: 10, completionTokens: 5, cachedTokens: 0 },
    ...changes,
  };
}
