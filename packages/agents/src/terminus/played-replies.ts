import type { ModelAnswer, ModelClient, ToolCall } from "@tracemill/core/ports/model-client.ts";
import { isShellCall, shellLineOf } from "../tools/bash.ts";
import { type Command, maxSeconds, type ReplyForm } from "./reply.ts";

/** Recorded commands were run without a terminal; pagers would wait for keys at one. */
const withoutPagers: Command = { keystrokes: "export PAGER=cat GIT_PAGER=cat\n", seconds: 1 };

/**
 * A recording's answers as replies at a terminal. Answers that are such replies already are given as they are. Of others
 * the calls of a shell are typed, each with the longest wait, which ends when the shell is back at its prompt; other calls
 * have no counterpart, and are only named. Once the recording has ended, the task is said to be done, as often as that is
 * asked.
 */
export function playedReplies(recorded: ModelClient, form: ReplyForm): ModelClient {
  let isOver = false;
  let mayPage = true;
  return {
    model: recorded.model,
    replayed: true,
    complete: async (request) => {
      if (isOver) return { ...done, text: form.write({ ...nothing, complete: true }) };
      const answer = await recorded.complete(request);
      isOver = answer.finish === "stop";
      if (answer.toolCalls.length === 0 && !("error" in form.read(answer.text, false))) return answer;
      const calls = answer.toolCalls.flatMap(commandOf);
      const commands = mayPage && calls.length > 0 ? [withoutPagers, ...calls] : calls;
      mayPage &&= calls.length === 0;
      return translated(answer, form.write({ ...aboutOf(answer), commands, complete: isOver }));
    },
  };
}

const done: ModelAnswer = { text: "", toolCalls: [], finish: "stop" };
const nothing = { analysis: "", plan: "", commands: [] };

/** Ids and probabilities of tokens are those of the recorded text, not of this one: they are left out. */
function translated({ tokens: _, ...answer }: ModelAnswer, text: string): ModelAnswer {
  return { ...answer, text, toolCalls: [], finish: "stop" };
}

function aboutOf({ text, toolCalls }: ModelAnswer): { analysis: string; plan: string } {
  const others = toolCalls.filter((call) => !isShellCall(call.name)).map(({ name }) => name);
  return {
    analysis: text,
    plan: others.length === 0 ? "" : `Not played at the terminal: ${others.join(", ")}`,
  };
}

function commandOf(call: ToolCall): Command[] {
  const line = isShellCall(call.name) ? shellLineOf(call.arguments) : undefined;
  return line === undefined ? [] : [{ keystrokes: `${line.trimEnd()}\n`, seconds: maxSeconds }];
}
