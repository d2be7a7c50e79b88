import type { HttpExchange } from "../capture/http-exchange.ts";
import type { Usage } from "../run/trial.ts";

/** A message of the conversation, in OpenAI chat form. */
export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
  /**
   * What the provider wants to see again with this turn, as it gave it (`ModelAnswer.carry`): signed thinking, encrypted
   * reasoning. Only a client of the same provider reads it.
   */
  carry?: unknown;
}

/** A tool in OpenAI form: `{type: "function", function: {name, description, parameters}}`. */
export type ToolDefinition = Record<string, unknown>;

export interface ModelRequest {
  messages: readonly ChatMessage[];
  tools: readonly ToolDefinition[];
  signal: AbortSignal;
  /** The answer has to be JSON of this schema, for models that can be held to one. */
  responseSchema?: { name: string; schema: Record<string, unknown> };
  /** Sees the answer as it streams; what is told here comes whole in the answer. */
  onDelta?(delta: { text?: string; reasoning?: string }): void;
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
  /** Where the server says nothing of usage: a guess, by which budgets hold. No count of tokens takes it for one. */
  guessedUsage?: Usage;
  /** For training: token ids and log probabilities of the answer, where the model gives them. */
  tokens?: { prompt?: number[]; completion?: number[]; logprobs?: number[] };
  /** Goes back with this turn: see `ChatMessage.carry`. */
  carry?: unknown;
  /** True when the answer came from the response cache: it cost nothing now. */
  cached?: boolean;
}

/** A model, live or played back. Wrap it to record exchanges or to hold a budget. */
export interface ModelClient {
  /** `provider/model`, as records show it. */
  readonly model: string;
  /** True when answers are played back: they cost nothing and no budget counts them. */
  readonly replayed?: boolean;
  /** @throws TracemillError `model-failed` (retryable or not), `budget-exceeded`, `turn-limit`, `cancelled`. */
  complete(request: ModelRequest): Promise<ModelAnswer>;
}

/** A line of `exchanges.jsonl.zst`: what an agent of ours asked through the model port, or what a proxy captured. */
export type RecordedExchange = Exchange | HttpExchange;

/** One request through the model port and its answer. */
export interface Exchange {
  startedAt: string;
  endedAt: string;
  model: string;
  /** True when the answer was played back from a recording. */
  replayed: boolean;
  request: { messages: readonly ChatMessage[]; tools: readonly ToolDefinition[] };
  answer: ModelAnswer;
}
