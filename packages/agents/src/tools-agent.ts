import type { Agent, AgentContext, AgentResult, LoadedTask } from "@tracemill/core/ports/agent.ts";
import type { ChatMessage, ToolDefinition } from "@tracemill/core/ports/model-client.ts";
import { Duration } from "@tracemill/core/run/duration.ts";
import type { AgentEnd, AgentRef } from "@tracemill/core/run/trial.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";
import { endByLimit } from "./limits.ts";
import { checkModel, liveVariants, modelOptions, openModel } from "./model-options.ts";
import { playing } from "./replay/playing.ts";
import { type Conversation, runToolLoop } from "./tool-loop.ts";
import { type CallTool, openTools, toolDefinitions } from "./tools/registry.ts";
import { TrajectoryBuilder } from "./trajectory-builder.ts";

const name = "tools";
const version = "2";

/** What a model gets for a Harbor task. No `execute_python`: not every task's image has Python. */
const harborTools = ["bash", "read_file", "write_file", "edit_file"];

/** Answers in a row that may be cut at their output limit before the agent has failed. */
const maxCutAnswers = 3;

/** `agents[].options` of a spec for this agent. */
export const ToolsOptions = z.strictObject({
  ...modelOptions,
  /** The system prompt, for tasks that bring none. Default: a short one for Harbor tasks, none for scenarios. */
  system: z.string().min(1).optional(),
  /** The most answers that the model may give in one attempt. */
  maxTurns: z.number().int().min(1).default(100),
  /** The longest that one call of a tool may take; a command gets 3 minutes unless it asks for more. */
  commandTimeout: Duration.default(600_000),
});
export type ToolsOptions = z.infer<typeof ToolsOptions>;

/**
 * A model that works on a task with tools, live: it is asked, its calls run in the sandbox, and it is told what came
 * of them, until it answers without a call. Harbor tasks get `bash` and tools for files; a scenario its own tools,
 * when they are live.
 */
export const toolsAgent: Agent = {
  name,
  version,
  decidedBy: "task",
  takesModel: true,
  check: (agent, spec) => checkModel(agent, optionsOf(agent), spec),
  needsSandbox: (task) => task.kind === "harbor" || task.tools.length > 0,
  variants: liveVariants,
  run: runTools,
};

/** @throws TracemillError `invalid-spec`, naming the option. */
function optionsOf({ options = {} }: AgentRef): ToolsOptions {
  return parseAs(ToolsOptions, options, `agents: options of ${name}`, "invalid-spec");
}

async function runTools(context: AgentContext): Promise<AgentResult> {
  const options = optionsOf(context.agent);
  const model = await openModel(context, options);
  await using resources = new AsyncDisposableStack();
  const { messages, tools } = requestOf(context, options);
  const trajectory = startTrajectory(messages, tools, context);
  context.keepTrajectory(() => trajectory.build());
  const { reference, solutionId = "" } = context;
  const played = model.replayed && reference !== undefined ? playing(reference, solutionId) : undefined;
  const conversation: Conversation = {
    model,
    tools,
    callTool: toolsIn(context, options, resources),
    trajectory,
    messages,
    maxTurns: options.maxTurns,
    maxCutAnswers: tools.length === 0 ? 0 : maxCutAnswers,
    nextUserMessages: played?.nextUserMessages ?? (() => []),
    ...(played === undefined ? {} : { onStep: played.onStep }),
  };
  const end = await converse(conversation, context, options);
  const report = played === undefined ? {} : { replay: played.report() };
  return { end, trajectory: trajectory.build(), ...report };
}

interface Request {
  messages: ChatMessage[];
  tools: readonly ToolDefinition[];
}

function requestOf({ task, sandbox }: AgentContext, { system }: ToolsOptions): Request {
  if (task.kind === "harbor") {
    const prompt = system ?? defaultSystem(sandbox?.workdir ?? "/");
    return {
      messages: [
        { role: "system", content: prompt },
        { role: "user", content: task.harbor.instruction },
      ],
      tools: toolDefinitions(harborTools),
    };
  }
  return { messages: scenarioMessages(task, system), tools: task.scenario.tools };
}

function defaultSystem(workdir: string): string {
  return [
    `You work on a task in a Linux sandbox, in the folder ${workdir}, with nobody to ask.`,
    "Use the tools to do the work, and check it. What counts is what you leave behind in the sandbox.",
    "When everything is done, say so in an answer without a tool call: it ends your work.",
  ].join("\n");
}

function scenarioMessages(
  { scenario }: Extract<LoadedTask, { kind: "scenario" }>,
  system: string | undefined,
): ChatMessage[] {
  const hasSystem = scenario.messages.some(({ role }) => role === "system");
  if (system === undefined || hasSystem) return [...scenario.messages];
  return [{ role: "system", content: system }, ...scenario.messages];
}

/** The request's own messages come first; what an assistant says in them is context, not this agent's work. */
function startTrajectory(
  messages: readonly ChatMessage[],
  tools: readonly ToolDefinition[],
  { agent: { model }, clock }: AgentContext,
): TrajectoryBuilder {
  const agent = {
    name,
    version,
    ...(model === undefined ? {} : { model_name: model }),
    ...(tools.length === 0 ? {} : { tool_definitions: [...tools] }),
  };
  const trajectory = new TrajectoryBuilder(agent, clock);
  trajectory.addContext(messages);
  return trajectory;
}

function toolsIn(
  { sandbox, signal }: AgentContext,
  { commandTimeout: timeoutMs }: ToolsOptions,
  resources: AsyncDisposableStack,
): CallTool {
  if (sandbox !== undefined) return openTools({ sandbox, signal, resources, timeoutMs });
  return async (call) => ({ output: `error: there is no tool ${call.name} here`, available: false });
}

/**
 * A conversation that outgrows the model is a limit of the agent's. One that never fits because of the spec's own
 * `maxTokens` is not: nothing was tried.
 */
async function converse(
  conversation: Conversation,
  context: AgentContext,
  { maxTokens }: ToolsOptions,
): Promise<AgentEnd> {
  const before = conversation.messages.length;
  try {
    return await runToolLoop(conversation, context);
  } catch (error) {
    const end = endByLimit(error);
    const wasAsked = conversation.messages.length > before;
    const isSpecsFault = end?.kind === "agent-failed" && end.failure === "context-limit" && !wasAsked;
    if (end === undefined || (isSpecsFault && maxTokens !== undefined)) throw error;
    return end;
  }
}
