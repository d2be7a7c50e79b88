import type { Fields } from "./asked.ts";
import {
  callsOf,
  countsOf,
  finishOf,
  type ModelReply,
  pieces,
  type Rendered,
  type Rendering,
  type StreamEvent,
} from "./reply.ts";

const finishWords = {
  stop: "stop",
  "tool-calls": "tool_calls",
  length: "length",
  refusal: "content_filter",
} as const;

/** A chat completion as OpenAI and vLLM answer it (platform.openai.com/docs/api-reference/chat). */
export function renderChat(reply: ModelReply, rendering: Rendering): Rendered {
  const { asked, number } = rendering;
  const head = { id: `chatcmpl-${number}`, created: 1_700_000_000, model: reply.model ?? asked.model };
  return { body: body(reply, number, head), events: events(reply, rendering, head) };
}

function body(reply: ModelReply, number: number, head: Fields): Fields {
  const calls = callsOf(reply, number).map(({ id, name, text }) => ({
    id,
    type: "function",
    function: { name, arguments: text },
  }));
  const message = {
    role: "assistant",
    content: reply.text ?? null,
    ...(reply.reasoning !== undefined && { reasoning_content: reply.reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  const { prompt, completion, logprobs } = reply.tokens ?? {};
  return {
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message,
        finish_reason: finishWords[finishOf(reply)],
        ...(logprobs !== undefined && { logprobs: { content: logprobs.map(logprobEntry) } }),
        ...(completion !== undefined && { token_ids: completion }),
      },
    ],
    usage: usage(reply),
    ...(prompt !== undefined && { prompt_token_ids: prompt }),
  };
}

function logprobEntry(logprob: number): Fields {
  return { token: "t", logprob, bytes: [116], top_logprobs: [] };
}

function usage(reply: ModelReply): Fields {
  const { promptTokens, completionTokens, cachedTokens, reasoningTokens } = countsOf(reply);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

function events(reply: ModelReply, { asked, number, deltaChars }: Rendering, head: Fields): StreamEvent[] {
  const { prompt, completion, logprobs } = reply.tokens ?? {};
  const chunk = (delta: Fields, finish: string | null = null, more: Fields = {}): StreamEvent => ({
    data: {
      ...head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: finish, ...more }],
    },
  });
  const first = chunk({ role: "assistant", content: "" });
  if (prompt !== undefined) Object.assign(first.data, { prompt_token_ids: prompt });
  const tokens = {
    ...(logprobs !== undefined && { logprobs: { content: logprobs.map(logprobEntry) } }),
    ...(completion !== undefined && { token_ids: completion }),
  };
  const options = asked.body.stream_options as { include_usage?: boolean } | undefined;
  return [
    first,
    ...pieces(reply.reasoning ?? "", deltaChars).map((piece) => chunk({ reasoning_content: piece })),
    ...pieces(reply.text ?? "", deltaChars).map((piece) => chunk({ content: piece })),
    ...callsOf(reply, number).flatMap(({ id, name, text }, index) => [
      chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] }),
      ...pieces(text, deltaChars).map((piece) =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ]),
    chunk({}, finishWords[finishOf(reply)], tokens),
    ...(options?.include_usage === true
      ? [{ data: { ...head, object: "chat.completion.chunk", choices: [], usage: usage(reply) } }]
      : []),
    { data: "[DONE]" },
  ];
}
