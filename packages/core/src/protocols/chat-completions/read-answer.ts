import * as z from "zod";
import { sourceContent } from "../../atif/source-content.ts";
import { allText } from "../../atif/text-only.ts";
import { toolArguments } from "../../atif/tool-arguments.ts";
import type { ModelAnswer, ToolCall } from "../../ports/model-client.ts";
import { parseAs } from "../../validation.ts";
import { carryOf, uniqueIds, withKnown } from "../answer-parts.ts";
import { type Fields, fieldsOf } from "../fields.ts";
import { chatUsage } from "../usage.ts";

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
  prompt_token_ids: z.array(z.number().int()).nullish(),
});
type Completion = z.infer<typeof Completion>;

/**
 * Reads the body of a chat completion in OpenAI's form.
 * @throws TracemillError `model-failed`, naming the field, for anything else.
 */
export function readChatAnswer(body: unknown, where: string): ModelAnswer {
  const completion = parseAs(Completion, body, `${where}: the answer`, "model-failed");
  const choice = completion.choices[0] as Choice;
  const { message } = choice;
  const spoken = allText(sourceContent(message.content).content);
  const text = spoken === "" ? (message.refusal ?? "") : spoken;
  const toolCalls = uniqueIds((message.tool_calls ?? []).map(toolCall));
  const reasoningFields = reasoningOf(message);
  return withKnown(
    { text, toolCalls, finish: finishOf(choice) },
    {
      reasoning: message.reasoning || message.reasoning_content || undefined,
      usage: chatUsage(fieldsOf(body).usage),
      tokens: tokensOf(completion, choice),
      carry:
        Object.keys(reasoningFields).length === 0
          ? undefined
          : carryOf("chat-completions", reasoningFields, { text, toolCalls }),
    },
  );
}

/** What goes back with the turn, as it came: OpenRouter's `reasoning_details` hold signatures. */
function reasoningOf({ reasoning, reasoning_content: content, reasoning_details: details }: Fields): Fields {
  return {
    ...(reasoning ? { reasoning } : content ? { reasoning_content: content } : {}),
    ...(Array.isArray(details) && { reasoning_details: details }),
  };
}

/** The calls decide more than the word: some servers say `stop` beside calls, some `tool_calls` beside none. */
function finishOf({ finish_reason: reason, message }: Choice): ModelAnswer["finish"] {
  if (reason === "length") return "length";
  if (reason === "content_filter" || message.refusal) return "refusal";
  return (message.tool_calls ?? []).length > 0 ? "tool-calls" : "stop";
}

function toolCall({ id, function: called }: z.infer<typeof Call>): ToolCall {
  const { arguments: args, extra } = toolArguments(called.arguments);
  return {
    id: id ?? "",
    name: called.name,
    arguments: args,
    ...(Object.keys(extra).length > 0 && { extra }),
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
