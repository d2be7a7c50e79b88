import type { Usage } from "../run/trial.ts";

/** A message of the conversation, in OpenAI chat form. */
export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** A tool in OpenAI form: `{type: "function", function: {name, description, parameters}}`. */
export type ToolDefinition = Record<string, unknown>;

export interface ModelRequest {
  messages: readonly ChatMessage[];
  tools: readonly ToolDefinition[];
  signal: AbortSignal;
}

export interface ToolCall {
  id: string;
  name: string;
  arguments: Record<string, unknown>;
  /** What `arguments` cannot say of the text that the model wrote, as `toolArguments` (atif) notes it. */
  extra?: Record<string, unknown>;
}

export interface ModelAnswer {
  text: string;
  reasoning?: string;
  toolCalls: ToolCall[];
  /** `more`: a turn without tool calls after which the conversation goes on all the same. */
  finish: "stop" | "tool-calls" | "more" | "length" | "refusal";
  usage?: Usage;
  /** For training: token ids and log probabilities of the answer, where the model gives them. */
  tokens?: { prompt?: number[]; completion?: number[]; logprobs?: number[] };
}

/** A model, live or played back. Wrap it to record exchanges or to hold a budget. */
export interface ModelClient {
  /** `provider/model`, as records show it. */
  readonly model: string;
  /** @throws TracemillError `model-failed` (retryable or not), `budget-exceeded`, `cancelled`. */
  complete(request: ModelRequest): Promise<ModelAnswer>;
}

/** One request and its answer, as it is kept in `exchanges.jsonl.zst`. */
export interface Exchange {
  startedAt: string;
  endedAt: string;
  model: string;
  /** True when the answer was played back from a recording. */
  replayed: boolean;
  request: { messages: readonly ChatMessage[]; tools: readonly ToolDefinition[] };
  answer: ModelAnswer;
}
