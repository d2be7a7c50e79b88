import type { ModelAnswer, ModelClient, ToolCall } from "@tracemill/core/ports/model-client.ts";
import { isShellCall, shellLineOf } from "../tools/bash.ts";
import { type Command, maxSeconds, type ReplyForm } from "./reply.ts";

/** Recorded commands were run without a terminal; pagers would wait for keys at one. */
const withoutPagers: Command = { keystrokes: "export PAGER=cat GIT_PAGER=cat\n", seconds: 1 };

/**
 * A recording's answers as replies at a terminal: its calls of a shell are typed, each with the longest wait, which ends
 * when the shell is back at its prompt. Other calls have no counterpart, and are only named. Once the recording has ended,
 * the task is said to be done, as often as that is asked.
 */
export function playedReplies(recorded: ModelClient, form: ReplyForm): ModelClient {
  let isOver = false;
  let isFirst = true;
  return {
    model: recorded.model,
    replayed: true,
    complete: async (request) => {
      if (isOver) return reply(form, { text: "", toolCalls: [], finish: "stop" }, [], true);
      const answer = await recorded.complete(request);
      const before = isFirst ? [withoutPagers] : [];
      isFirst = false;
      isOver = answer.finish === "stop";
      return reply(form, answer, before, isOver);
    },
  };
}

/** Ids and probabilities of tokens are those of the recorded text, not of this one: they are left out. */
function reply(
  form: ReplyForm,
  answer: ModelAnswer,
  before: readonly Command[],
  complete: boolean,
): ModelAnswer {
  const { tokens: _, toolCalls, ...rest } = answer;
  const commands = [...before, ...toolCalls.flatMap(commandOf)];
  const others = toolCalls.filter((call) => !isShellCall(call.name)).map(({ name }) => name);
  const plan = others.length === 0 ? "" : `Not played at the terminal: ${others.join(", ")}`;
  const text = form.write({ analysis: answer.text, plan, commands, complete });
  return { ...rest, text, toolCalls: [], finish: complete ? "stop" : "more" };
}

function commandOf(call: ToolCall): Command[] {
  const line = isShellCall(call.name) ? shellLineOf(call.arguments) : undefined;
  return line === undefined ? [] : [{ keystrokes: `${line.trimEnd()}\n`, seconds: maxSeconds }];
}
