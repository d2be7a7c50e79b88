import { sourceContent } from "@tracemill/core/atif/source-content.ts";
import { allText } from "@tracemill/core/atif/text-only.ts";
import { toolArguments } from "@tracemill/core/atif/tool-arguments.ts";
import type { ModelAnswer, ToolCall } from "@tracemill/core/ports/model-client.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";

const Call = z.looseObject({
  id: z.string().nullish(),
  function: z.looseObject({ name: z.string(), arguments: z.unknown().optional() }),
});

const Message = z.looseObject({
  /** Text, or a list of parts. */
  content: z.unknown().optional(),
  /** Servers differ in the name; vLLM has had both. */
  reasoning: z.string().nullish(),
  reasoning_content: z.string().nullish(),
  refusal: z.string().nullish(),
  tool_calls: z.array(Call).nullish(),
});

const tokenCount = z.number().min(0).transform(Math.round).nullish();

const Tokens = z.looseObject({
  prompt_tokens: tokenCount,
  completion_tokens: tokenCount,
  prompt_tokens_details: z.looseObject({ cached_tokens: tokenCount }).nullish(),
  /** DeepSeek's name for the cached ones. */
  prompt_cache_hit_tokens: tokenCount,
  /** US dollars; OpenRouter says it. */
  cost: z.number().min(0).nullish(),
});

const Logprobs = z.looseObject({ content: z.array(z.looseObject({ logprob: z.number() })).nullish() });

const Choice = z.looseObject({
  message: Message,
  finish_reason: z.string().nullish(),
  logprobs: Logprobs.nullish(),
  /** vLLM's, for `return_token_ids`. */
  token_ids: z.array(z.number().int()).nullish(),
});
type Choice = z.infer<typeof Choice>;

/** A chat completion, as far as it is read; servers add to it. */
const Completion = z.looseObject({
  choices: z.array(Choice).min(1, "holds no answer"),
  usage: Tokens.nullish(),
  prompt_token_ids: z.array(z.number().int()).nullish(),
});
type Completion = z.infer<typeof Completion>;

export interface ReadAnswer {
  answer: ModelAnswer;
  /** Under which name the server gave the model's reasoning, if it gave any. */
  reasoningField: "reasoning" | "reasoning_content" | undefined;
}

/** Ways to say that the server gave up in the middle: the answer is not the model's whole answer. */
const brokenOff = new Set(["abort", "aborted", "error"]);

/**
 * Reads the body of a chat completion in OpenAI's form.
 * @throws TracemillError `model-failed`, naming the field, for anything else.
 */
export function readAnswer(body: unknown, where: string): ReadAnswer {
  const completion = parseAs(Completion, body, `${where}: the answer`, "model-failed");
  const choice = completion.choices[0] as Choice;
  const { message } = choice;
  const reasoning = message.reasoning ?? message.reasoning_content ?? "";
  const usage = usageOf(completion);
  const tokens = tokensOf(completion, choice);
  const text = allText(sourceContent(message.content).content);
  const answer: ModelAnswer = {
    text: text === "" ? (message.refusal ?? "") : text,
    toolCalls: (message.tool_calls ?? []).map(toolCall),
    finish: finishOf(choice),
    ...(reasoning === "" ? {} : { reasoning }),
    ...(usage === undefined ? {} : { usage }),
    ...(tokens === undefined ? {} : { tokens }),
  };
  const field = message.reasoning ? "reasoning" : "reasoning_content";
  return { answer, reasoningField: reasoning === "" ? undefined : field };
}

/** Whether a server says of its own answer that it was broken off. */
export function isBrokenOff(body: unknown): boolean {
  const reason = (body as { choices?: { finish_reason?: unknown }[] } | null)?.choices?.[0]?.finish_reason;
  return typeof reason === "string" && brokenOff.has(reason);
}

/** The calls decide more than the word: some servers say `stop` beside calls, some `tool_calls` beside none. */
function finishOf({ finish_reason: reason, message }: Choice): ModelAnswer["finish"] {
  if (reason === "length") return "length";
  if (reason === "content_filter" || message.refusal) return "refusal";
  return (message.tool_calls ?? []).length > 0 ? "tool-calls" : "stop";
}

/** Ids are made unique, since results are matched to calls by them. */
function toolCall(call: z.infer<typeof Call>, index: number, all: readonly z.infer<typeof Call>[]): ToolCall {
  const { id, function: called } = call;
  const isOwn = id != null && id !== "" && all.findIndex((other) => other.id === id) === index;
  const { arguments: args, extra } = toolArguments(called.arguments);
  return {
    id: isOwn ? id : `call_${index + 1}${id ? `_${id}` : ""}`,
    name: called.name,
    arguments: args,
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function usageOf({ usage }: Completion): Usage | undefined {
  if (usage?.prompt_tokens == null && usage?.completion_tokens == null) return undefined;
  return {
    promptTokens: usage.prompt_tokens ?? 0,
    completionTokens: usage.completion_tokens ?? 0,
    cachedTokens: usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0,
    ...(usage.cost == null ? {} : { costUsd: usage.cost }),
  };
}

function tokensOf(completion: Completion, choice: Choice): ModelAnswer["tokens"] {
  const logprobs = choice.logprobs?.content?.map(({ logprob }) => logprob);
  const tokens = {
    ...(completion.prompt_token_ids == null ? {} : { prompt: completion.prompt_token_ids }),
    ...(choice.token_ids == null ? {} : { completion: choice.token_ids }),
    ...(logprobs === undefined ? {} : { logprobs }),
  };
  return Object.keys(tokens).length === 0 ? undefined : tokens;
}
