import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import type {
  ChatMessage,
  ModelAnswer,
  ModelClient,
  ToolCall,
  ToolDefinition,
} from "@tracemill/core/ports/model-client.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";
import { usageMetrics } from "@tracemill/core/run/usage.ts";
import type { CallTool } from "./tools/registry.ts";
import type { NewStep, Step, TrajectoryBuilder } from "./trajectory-builder.ts";

export interface Conversation {
  model: ModelClient;
  /** Answers are played back, not sampled. */
  replayed: boolean;
  tools: readonly ToolDefinition[];
  callTool: CallTool;
  trajectory: TrajectoryBuilder;
  /** Messages so far; grows with the conversation. */
  messages: ChatMessage[];
  /** The user's next words after an answer that asks for more; none ends the conversation. */
  nextUserMessages(): readonly string[];
  /** The most answers that the model may give. Default: no limit but the attempt's time. */
  maxTurns?: number;
  /** Sees each step when it is done. */
  onStep?(step: Step, calls: readonly CalledTool[]): void;
}

export interface CalledTool {
  call: ToolCall;
  output: string;
  available: boolean;
}

type LoopContext = Pick<AgentContext, "signal" | "budget" | "clock" | "record">;

/**
 * Asks the model, runs the tools that it calls, tells it what came back, until it stops. Returns early,
 * with the trajectory as far as it got, when the signal is aborted.
 */
export async function runToolLoop(conversation: Conversation, context: LoopContext): Promise<AgentEnd> {
  const { maxTurns = Number.POSITIVE_INFINITY } = conversation;
  for (let turn = 1; !context.signal.aborted; turn += 1) {
    if (turn > maxTurns) return failed("turn-limit", `it had not come to an end after ${maxTurns} turns`);
    const answer = await ask(conversation, context);
    const end = answer === undefined ? completed : endAfter(answer);
    if (end !== undefined) return end;
    if (answer?.finish !== "more") continue;
    for (const text of conversation.nextUserMessages()) addUserMessage(conversation, text);
  }
  return completed;
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
async function ask(conversation: Conversation, context: LoopContext): Promise<ModelAnswer | undefined> {
  const { model, tools, messages, trajectory } = conversation;
  const startedAt = new Date(context.clock.now()).toISOString();
  const request = { messages: [...messages], tools };
  const answer = await unlessStopped(model.complete({ ...request, signal: context.signal }), context.signal);
  if (answer === undefined) return undefined;
  const endedAt = new Date(context.clock.now()).toISOString();
  context.record({
    startedAt,
    endedAt,
    model: model.model,
    replayed: conversation.replayed,
    request,
    answer,
  });
  messages.push(assistantMessage(answer));
  const called = await callTools(answer.toolCalls, conversation, context.signal);
  const step = trajectory.add(agentStep(answer, called));
  conversation.onStep?.(step, called);
  for (const { call, output } of called)
    messages.push({ role: "tool", content: output, tool_call_id: call.id });
  if (answer.usage !== undefined && !conversation.replayed) context.budget.spend(answer.usage);
  return context.signal.aborted ? undefined : answer;
}

/** What `work` gives; `undefined` when it fails because it was stopped: the turns so far still count. */
async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
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

function assistantMessage(answer: ModelAnswer): ChatMessage {
  const calls = answer.toolCalls.map((call) => ({
    id: call.id,
    type: "function" as const,
    function: { name: call.name, arguments: argumentsText(call) },
  }));
  return {
    role: "assistant",
    content: answer.text,
    ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** Always JSON, since servers refuse a conversation that holds anything else; exact where numbers are long. */
function argumentsText({ arguments: parsed, extra }: ToolCall): string {
  const raw = extra?.raw_arguments;
  return typeof raw === "string" ? raw : JSON.stringify(parsed);
}

function agentStep(answer: ModelAnswer, called: readonly CalledTool[]): NewStep {
  const { usage, tokens } = answer;
  const metrics = {
    ...usageMetrics(usage),
    ...(tokens?.prompt === undefined ? {} : { prompt_token_ids: tokens.prompt }),
    ...(tokens?.completion === undefined ? {} : { completion_token_ids: tokens.completion }),
    ...(tokens?.logprobs === undefined ? {} : { logprobs: tokens.logprobs }),
  };
  return {
    source: "agent",
    message: answer.text,
    ...(answer.reasoning === undefined ? {} : { reasoning_content: answer.reasoning }),
    ...(answer.toolCalls.length === 0 ? {} : { tool_calls: answer.toolCalls.map(atifCall) }),
    ...(called.length === 0
      ? {}
      : {
          observation: {
            results: called.map(({ call, output }) => ({ source_call_id: call.id, content: output })),
          },
        }),
    ...(Object.keys(metrics).length === 0 ? {} : { metrics }),
  };
}

function atifCall({ id, name, arguments: args, extra }: ToolCall) {
  return {
    tool_call_id: id,
    function_name: name,
    arguments: args,
    ...(extra === undefined ? {} : { extra }),
  };
}
