import { writeChatMessages } from "@tracemill/core/atif/from-chat.ts";
import { StepWriter } from "@tracemill/core/atif/step-writer.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import type {
  Agent,
  AgentContext,
  AgentResult,
  LoadedTask,
  ModelEndpoint,
} from "@tracemill/core/ports/agent.ts";
import type { Random } from "@tracemill/core/ports/clock.ts";
import type { ChatMessage, ToolDefinition } from "@tracemill/core/ports/model-client.ts";
import { Duration } from "@tracemill/core/run/duration.ts";
import type { AgentEnd, AgentRef } from "@tracemill/core/run/trial.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";
import { whyNotLive } from "./live-task.ts";
import { ChatCompletions, ownFields } from "./models/chat-completions.ts";
import { isContextLimit } from "./models/verdict.ts";
import { type Conversation, runToolLoop } from "./tool-loop.ts";
import { type CallTool, openTools, toolDefinitions } from "./tools/registry.ts";
import { TrajectoryBuilder } from "./trajectory-builder.ts";

const name = "tools";
const version = "1";

/** What a model gets for a Harbor task. No `execute_python`: not every task's image has Python. */
const harborTools = ["bash", "write_file", "read_file"];

function holdsNoSecret(url: string): boolean {
  const { username, password, search } = URL.parse(url) ?? { username: "", password: "", search: "" };
  return username === "" && password === "" && search === "";
}

/** `agents[].options` of a spec for this agent. */
export const ToolsOptions = z.strictObject({
  /** Of an OpenAI-compatible API, `/v1` included. Default: the server of a model that the run serves. */
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .refine(holdsNoSecret, "holds a user, a password or a query: options are stored with the run")
    .optional(),
  /** What the server at `baseUrl` calls the model. Default: the agent's `model`. */
  model: z.string().min(1).optional(),
  /** The system prompt, for tasks that bring none. Default: a short one for Harbor tasks, none for scenarios. */
  system: z.string().min(1).optional(),
  /** The most answers that the model may give in one attempt. */
  maxTurns: z.number().int().min(1).default(100),
  /** The most tokens of one answer. Default: the server's. */
  maxTokens: z.number().int().min(1).optional(),
  temperature: z.number().min(0).optional(),
  /** How long one answer may take. */
  requestTimeout: Duration.optional(),
  /** Further fields of each request (`seed`, `top_p`, vLLM's `return_token_ids`). */
  extraBody: z
    .record(z.string(), z.unknown())
    .refine(
      (body) => ownFields.every((field) => !(field in body)),
      `may not hold ${ownFields.join(", ")}: the agent sets them`,
    )
    .default({}),
});
export type ToolsOptions = z.infer<typeof ToolsOptions>;

/**
 * A model that works on a task with tools, live: it is asked, its calls run in the sandbox, and it is told what came
 * of them, until it answers without a call. Harbor tasks get `bash` and tools for files; a scenario its own tools,
 * when they are live.
 */
export function toolsAgent(random: Random = Math.random): Agent {
  return {
    name,
    version,
    decidedBy: "task",
    check: (agent, { models }) => {
      const { baseUrl } = optionsOf(agent);
      const { model } = agent;
      if (model === undefined) throw new TracemillError("invalid-spec", `agents: ${name} wants a \`model\``);
      if (baseUrl === undefined && models[model] === undefined) throw noEndpoint("invalid-spec", model);
    },
    needsSandbox: (task) => task.kind === "harbor" || task.tools.length > 0,
    variants: (task) => {
      const reason = whyNotLive(task);
      return reason === undefined ? { references: [undefined] } : { excluded: reason };
    },
    run: (context) => runTools(context, random),
  };
}

/** @throws TracemillError `invalid-spec`, naming the option. */
function optionsOf({ options = {} }: AgentRef): ToolsOptions {
  return parseAs(ToolsOptions, options, `agents: options of ${name}`, "invalid-spec");
}

function noEndpoint(code: "invalid-spec" | "model-failed", model: string): TracemillError {
  return new TracemillError(
    code,
    `agents: ${name} does not know where ${model} is served; give \`options.baseUrl\`, or serve it on AWS under \`models\``,
  );
}

async function runTools(context: AgentContext, random: Random): Promise<AgentResult> {
  const options = optionsOf(context.agent);
  const model = openModel(options, context, random);
  await using resources = new AsyncDisposableStack();
  const { messages, tools } = requestOf(context, options);
  const trajectory = startTrajectory(messages, tools, context);
  const conversation: Conversation = {
    model,
    replayed: false,
    tools,
    callTool: toolsIn(context, resources),
    trajectory,
    messages,
    nextUserMessages: () => [],
    maxTurns: options.maxTurns,
  };
  const end = await converse(conversation, context, options);
  return { end, trajectory: trajectory.build() };
}

function openModel(options: ToolsOptions, context: AgentContext, random: Random): ChatCompletions {
  const { maxTokens, temperature, requestTimeout, extraBody } = options;
  const { baseUrl, model } = endpointOf(options, context);
  return new ChatCompletions(
    {
      baseUrl,
      model,
      extraBody,
      label: context.agent.model ?? model,
      ...(maxTokens === undefined ? {} : { maxTokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(requestTimeout === undefined ? {} : { timeoutMs: requestTimeout }),
    },
    { clock: context.clock, random },
  );
}

/** An address in the options goes before a server of the run's own. */
function endpointOf({ baseUrl, model }: ToolsOptions, context: AgentContext): ModelEndpoint {
  const { agent, modelEndpoint } = context;
  const called = model ?? agent.model;
  if (baseUrl !== undefined && called !== undefined) return { baseUrl, model: called };
  if (modelEndpoint !== undefined) return modelEndpoint;
  throw noEndpoint("model-failed", agent.model ?? "its model");
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
  const writer = new StepWriter();
  writer.beginContext();
  writeChatMessages(
    messages.map((message) => ({ ...message })),
    writer,
  );
  for (const { step_id: _, ...step } of writer.finish()) trajectory.add(step);
  return trajectory;
}

function toolsIn({ sandbox, signal }: AgentContext, resources: AsyncDisposableStack): CallTool {
  if (sandbox !== undefined) return openTools({ sandbox, signal, resources });
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
    const wasAsked = conversation.messages.length > before;
    if (!isContextLimit(error) || (!wasAsked && maxTokens !== undefined)) throw error;
    return { kind: "agent-failed", failure: "context-limit", reason: messageOf(error) };
  }
}
