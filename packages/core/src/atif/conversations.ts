import { contextSegments } from "./context-segments.ts";
import { pythonJson } from "./python-json.ts";
import { assertTextOnly } from "./text-only.ts";
import type { Content, Step, Trajectory } from "./trajectory.ts";

/** What a row says about its trial; keys that are absent here are absent from the row. */
export interface ConversationTrial {
  /** Used where the trajectory names none. */
  agent: string;
  model: string;
  modelProvider: string;
  /** ISO 8601 start of the trial. */
  date: string;
  runId: string;
  task: string | null;
  trialName: string | null;
  /** `pythonFloat(reward)`, for example "1.0", or the name of what failed. */
  result?: string | null;
  /** What the agent was asked. */
  instruction?: string;
  /** The verifier's stdout, then its stderr. */
  verifierOutput?: string;
  /** `main`, or the name of a subagent's trajectory. */
  traceSource?: string;
}

export interface ConversationOptions {
  /** `all`: a row for each turn of the agent, holding everything up to it; `last`: the last of these in each context. */
  episodes: "all" | "last";
  /** Puts the tool definitions into the first system message. Default true. */
  embedTools?: boolean;
  /** Adds `conversations_sharegpt`. Default false. */
  sharegpt?: boolean;
}

export interface ConversationRow {
  conversations: { role: "user" | "assistant"; content: string }[];
  agent: string;
  model: string;
  model_provider: string;
  date: string;
  task: string | null;
  episode: string;
  run_id: string;
  trial_name: string | null;
  tool_definitions?: Record<string, unknown>[];
  result?: string | null;
  instruction?: string;
  verifier_output?: string;
  trace_source?: string;
  conversations_sharegpt?: { from: "human" | "gpt"; value: string }[];
}

/**
 * Harbor's export rows (`harbor traces export`) of a trajectory, to the letter: system messages come as user,
 * tool calls as `<tool_call>` text, observations as user messages; a row ends with a turn of the agent.
 * Turns that are copied context are in the text but end no row. Of content that is a list of texts, only
 * the first is in the row: Harbor's loss, kept for compatibility (`trajectoryToMessages` keeps all).
 * @throws TracemillError `unsupported` for images and sound.
 */
export function trajectoryToConversations(
  trajectory: Trajectory,
  trial: ConversationTrial,
  { episodes, embedTools = true, sharegpt = false }: ConversationOptions,
): ConversationRow[] {
  assertTextOnly(trajectory);
  const turns = contextSegments(trajectory).flatMap(({ steps }) => {
    const ends = steps.flatMap((step, index) =>
      step.source === "agent" && step.is_copied_context !== true ? [index] : [],
    );
    return ends.map((end, at) => ({ steps: steps.slice(0, end + 1), isLast: at === ends.length - 1 }));
  });
  return turns.flatMap(({ steps, isLast }, episode) => {
    if (episodes === "last" && !isLast) return [];
    const messages = conversation(steps, embedTools ? trajectory.agent.tool_definitions : undefined);
    return [row(trajectory, trial, messages, episode, sharegpt)];
  });
}

type Message = ConversationRow["conversations"][number];

function row(
  { agent }: Trajectory,
  trial: ConversationTrial,
  conversations: Message[],
  episode: number,
  sharegpt: boolean,
): ConversationRow {
  const tools = agent.tool_definitions ?? [];
  return {
    conversations,
    agent: agent.name || trial.agent,
    model: agent.model_name || trial.model,
    model_provider: trial.modelProvider,
    date: trial.date,
    task: trial.task,
    episode: `episode-${episode}`,
    run_id: trial.runId,
    trial_name: trial.trialName,
    ...(trial.result !== undefined && { result: trial.result }),
    ...(tools.length > 0 && { tool_definitions: tools }),
    ...(trial.instruction !== undefined && { instruction: trial.instruction }),
    ...(trial.verifierOutput !== undefined && { verifier_output: trial.verifierOutput }),
    ...(trial.traceSource !== undefined && { trace_source: trial.traceSource }),
    ...(sharegpt && { conversations_sharegpt: conversations.map(toShareGpt) }),
  };
}

function toShareGpt({ role, content }: Message): { from: "human" | "gpt"; value: string } {
  return { from: role === "user" ? "human" : "gpt", value: content };
}

/** The messages up to and with the last step, whose own observation belongs to the next row. */
function conversation(steps: readonly Step[], tools: Record<string, unknown>[] | undefined): Message[] {
  const firstSystem = steps.findIndex((step) => step.source === "system");
  return steps.flatMap((step, index): Message[] => {
    if (step.source !== "agent") {
      const isPlace = index === firstSystem && tools !== undefined && tools.length > 0;
      const prefix = isPlace ? `<tools>\n${pythonJson(tools, 2)}\n</tools>\n\n` : "";
      return [{ role: "user", content: prefix + firstText(step.message) }];
    }
    const message: Message = { role: "assistant", content: assistantText(step) };
    const results = index === steps.length - 1 ? [] : (step.observation?.results ?? []);
    const observed = results.flatMap(({ content }) => (content === undefined ? [] : [firstText(content)]));
    return observed.length === 0 ? [message] : [message, { role: "user", content: observed.join("\n") }];
  });
}

function assistantText(step: Step): string {
  const text = firstText(step.message);
  // A generation prompt that ends in <think> leaves the model's text with the closing tag alone.
  const isOrphan = text.includes("</think>") && !text.includes("<think>");
  const parts = [
    step.reasoning_content ? `<think>${step.reasoning_content}</think>` : "",
    isOrphan ? `<think>${text}` : text,
    ...(step.tool_calls ?? []).map(({ function_name: name, arguments: args }) => {
      return `<tool_call>\n${pythonJson({ name, arguments: args })}\n</tool_call>`;
    }),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function firstText(content: Content): string {
  if (typeof content === "string") return content;
  const [first] = content;
  return first?.type === "text" ? first.text : "[]";
}
