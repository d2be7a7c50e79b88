import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import type {
  ChatMessage,
  ModelAnswer,
  ModelClient,
  ToolCall,
  ToolDefinition,
} from "@tracemill/core/ports/model-client.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";
import { answerStep, assistantMessage } from "./answer-turn.ts";
import type { CallTool } from "./tools/registry.ts";
import type { Step, TrajectoryBuilder } from "./trajectory-builder.ts";

export interface Conversation {
  model: ModelClient;
  tools: readonly ToolDefinition[];
  callTool: CallTool;
  trajectory: TrajectoryBuilder;
  /** Messages so far; grows with the conversation. */
  messages: ChatMessage[];
  /** The user's next words after an answer that asks for more; none ends the conversation. */
  nextUserMessages(): readonly string[];
  /** The most answers that the model may give. Default: no limit but the attempt's time. */
  maxTurns?: number;
  /** How many answers in a row may be cut at their output limit: the model is told, and goes on. Default: none. */
  maxCutAnswers?: number;
  /** Sees each step when it is done. */
  onStep?(step: Step, calls: readonly CalledTool[]): void;
}

export interface CalledTool {
  call: ToolCall;
  output: string;
  available: boolean;
}

const cutNotice =
  "Your answer was cut at its output limit. Go on from there, in smaller steps: long files in several calls.";

/**
 * Asks the model, runs the tools that it calls, tells it what came back, until it stops. Returns early,
 * with the trajectory as far as it got, when the signal is aborted.
 */
export async function runToolLoop(
  conversation: Conversation,
  context: Pick<AgentContext, "signal">,
): Promise<AgentEnd> {
  const { maxTurns = Number.POSITIVE_INFINITY, maxCutAnswers = 0 } = conversation;
  let cut = 0;
  for (let turn = 1; !context.signal.aborted; turn += 1) {
    if (turn > maxTurns) return failed("turn-limit", `it had not come to an end after ${maxTurns} turns`);
    const answer = await ask(conversation, context);
    if (answer === undefined) return completed;
    cut = answer.finish === "length" ? cut + 1 : 0;
    const end = cut > 0 && cut <= maxCutAnswers ? undefined : endAfter(answer);
    if (end !== undefined) return end;
    for (const text of wordsAfter(answer, conversation)) addUserMessage(conversation, text);
  }
  return completed;
}

/** What the user says to an answer after which the conversation goes on. */
function wordsAfter({ finish }: ModelAnswer, { nextUserMessages }: Conversation): readonly string[] {
  if (finish === "length") return [cutNotice];
  return finish === "more" ? nextUserMessages() : [];
}

const completed: AgentEnd = { kind: "completed" };

/** How the conversation ends with this answer; `undefined` when it goes on. */
function endAfter({ finish }: ModelAnswer): AgentEnd | undefined {
  switch (finish) {
    case "stop":
      return completed;
    case "length":
      return failed("output-limit", "the model's answer was cut at its output limit");
    case "refusal":
      return failed("refusal", "the model refused the task");
    case "tool-calls":
    case "more":
      return undefined;
  }
}

function failed(failure: "output-limit" | "turn-limit" | "refusal", reason: string): AgentEnd {
  return { kind: "agent-failed", failure, reason };
}

function addUserMessage({ trajectory, messages }: Conversation, text: string): void {
  trajectory.add({ source: "user", message: text });
  messages.push({ role: "user", content: text });
}

/** One turn. `undefined` when the signal was aborted during it. */
async function ask(
  conversation: Conversation,
  { signal }: Pick<AgentContext, "signal">,
): Promise<ModelAnswer | undefined> {
  const { model, tools, messages, trajectory } = conversation;
  const answer = await unlessStopped(model.complete({ messages: [...messages], tools, signal }), signal);
  if (answer === undefined) return undefined;
  messages.push(assistantMessage(answer));
  const called = await callTools(answer.toolCalls, conversation, signal);
  const results = called.map(({ call, output }) => ({ source_call_id: call.id, content: output }));
  const step = trajectory.add({
    ...answerStep(answer),
    ...(results.length === 0 ? {} : { observation: { results } }),
  });
  conversation.onStep?.(step, called);
  for (const { call, output } of called)
    messages.push({ role: "tool", content: output, tool_call_id: call.id });
  return signal.aborted ? undefined : answer;
}

/** What `work` gives; `undefined` when it fails because it was stopped: the turns so far still count. */
export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

async function callTools(
  calls: readonly ToolCall[],
  { callTool }: Conversation,
  signal: AbortSignal,
): Promise<CalledTool[]> {
  const called: CalledTool[] = [];
  for (const call of calls) {
    if (signal.aborted) break;
    called.push({ call, ...(isReadable(call) ? await callTool(call) : unreadable) });
  }
  return called;
}

const unreadable = { output: "error: the arguments of this call are no JSON object", available: true };

function isReadable({ extra }: ToolCall): boolean {
  return extra?.arguments_not_object !== true;
}
