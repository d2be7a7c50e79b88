import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";

export const openai: readonly ModelProtocol[] = ["chat-completions", "responses"];

/** Context overflow, in the words of each provider. */
export const overflows: readonly (readonly [
  who: string,
  status: number,
  message: string,
  protocols: readonly ModelProtocol[],
  type?: string,
])[] = [
  ["OpenAI", 400, "Too much.", openai, "context_length_exceeded"],
  ["OpenAI, Responses", 400, "Your input exceeds the context window of this model.", ["responses"]],
  [
    "vLLM",
    400,
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
    ["chat-completions"],
  ],
  [
    "vLLM",
    400,
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    ["chat-completions"],
  ],
  [
    "SGLang",
    400,
    "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
    ["chat-completions"],
  ],
  [
    "llama.cpp",
    400,
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
    ["chat-completions"],
    "exceed_context_size_error",
  ],
  ["Ollama", 400, "the input length exceeds the context length", ["chat-completions"]],
  ["TGI", 422, "`inputs` tokens + `max_new_tokens` must be <= 4096", ["chat-completions"]],
  [
    "Gemini",
    400,
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ["chat-completions"],
  ],
  [
    "xAI",
    400,
    "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    ["chat-completions"],
  ],
  ["Anthropic", 400, "prompt is too long: 210000 tokens > 200000 maximum", ["messages", "chat-completions"]],
  [
    "Anthropic",
    400,
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
    ["messages"],
  ],
  [
    "Anthropic",
    413,
    "Request exceeds the maximum allowed number of bytes.",
    ["messages"],
    "request_too_large",
  ],
  ["Bedrock", 400, "Input is too long for requested model.", ["converse"]],
  [
    "Bedrock, Nova",
    400,
    "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
    ["converse"],
  ],
];
