/**
 * What servers say when a conversation no longer fits:
 * - OpenAI, vLLM, Groq, DeepSeek: `context_length_exceeded`, `maximum context length`, `exceeds the context window`;
 *   vLLM also `maximum model length`
 * - SGLang: `longer than the model's context length`; llama.cpp: `available context size`; Ollama: `context length`
 * - TGI and Together: `max_new_tokens`; xAI: `maximum prompt length`
 * - Anthropic: `prompt is too long`, `exceed context limit`; too many bytes: `request_too_large`
 * - Bedrock: `Input is too long`, `Input Tokens Exceeded`, `too many input tokens`
 * - Gemini: `input token count`
 */
const words = [
  "context[_ ](?:length|size|window|limit)",
  "maximum (?:model|prompt) length",
  "(?:prompt|input) is too long",
  "input tokens? (?:count|exceeded)",
  "too many input tokens",
  "request_too_large",
  "`?max_new_tokens`? must be",
];
const overflowWords = new RegExp(words.join("|"), "i");

/** A conversation that does not fit is one of these; 429 and 5xx with such words are something else. */
const overflowStatuses: ReadonlySet<number> = new Set([400, 413, 422]);

/** Whether a provider refused because the conversation is longer than the model can take. */
export function isOverflow(status: number, text: string): boolean {
  return overflowStatuses.has(status) && overflowWords.test(text);
}
