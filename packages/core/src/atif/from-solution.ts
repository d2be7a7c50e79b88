import { isDeepStrictEqual } from "node:util";
import { TracemillError } from "../errors.ts";
import type { Solution, Task } from "../production/schemas.ts";
import { writeChatMessages } from "./from-chat.ts";
import { writeResponseItems } from "./from-responses.ts";
import { isFields, sourceContent } from "./source-content.ts";
import { StepWriter } from "./step-writer.ts";
import { parseTrajectory, type Trajectory } from "./trajectory.ts";

export interface RecordedSolution {
  task: Task;
  solution: Solution;
}

type Fields = Readonly<Record<string, unknown>>;
type SolutionStep = NonNullable<Solution["steps"]>[number];
type Form = "trajectory" | "response" | "messages" | "steps" | "answer";

/**
 * A recorded solution as an ATIF trajectory, from the first form that it has: `trajectory` (checked, kept as
 * it is), `response` (OpenAI Responses), `messages` (OpenAI chat), `steps` (simple), `answer` alone.
 *
 * The task's request comes first. Turns of an assistant that the request already held are steps with
 * `is_copied_context`: this solution did not make them, so nothing is trained on them. Nothing is dropped:
 * what ATIF has no place for is kept in `extra` (see `StepWriter`, `toolArguments`, `sourceContent`).
 * @throws TracemillError `invalid-trajectory`, naming the solution and the field.
 */
export function solutionToTrajectory({ task, solution }: RecordedSolution): Trajectory {
  const where = `solution ${solution.id} of task ${task.id}`;
  if (solution.trajectory) return parseTrajectory(solution.trajectory, `${where}: trajectory`);
  const writer = new StepWriter();
  const form = writeSolution(task, solution, writer, where);
  const steps = writer.finish();
  return parseTrajectory(
    {
      schema_version: "ATIF-v1.8",
      session_id: solution.id,
      agent: agentOf(task, solution),
      steps,
      final_metrics: { ...usageOf(solution), total_steps: steps.length },
      extra: extraOf(task, solution, form),
    },
    where,
  );
}

function writeSolution(task: Task, solution: Solution, writer: StepWriter, where: string): Form {
  if (solution.response) {
    const { output } = solution.response;
    if (!Array.isArray(output)) {
      throw new TracemillError("invalid-trajectory", `${where}: \`response.output\` is not a list of items`);
    }
    writeRequest(task, writer);
    writeResponseItems(output, writer);
    return "response";
  }
  if (solution.messages) {
    writeConversation(task, solution.messages, writer);
    return "messages";
  }
  const hasAnswer = solution.answer !== null && solution.answer !== undefined;
  if (!solution.steps && !hasAnswer) {
    throw new TracemillError(
      "invalid-trajectory",
      `${where}: no steps; it needs one of \`trajectory\`, \`response\`, \`messages\`, \`steps\`, \`answer\``,
    );
  }
  writeRequest(task, writer);
  writeSteps(solution.steps ?? [], writer);
  if (hasAnswer) writeAnswer(textOf(solution.answer), solution.steps?.at(-1), writer);
  return solution.steps ? "steps" : "answer";
}

/** What the agent was given: the Responses request, else chat messages, else the problem in words. */
function writeRequest(task: Task, writer: StepWriter): void {
  writer.beginContext();
  const request: Fields = task.responses_create_params ?? {};
  if (typeof request.instructions === "string") writer.say("system", sourceContent(request.instructions));
  const input = request.input;
  if (typeof input === "string" && input !== "") writer.say("user", sourceContent(input));
  else if (Array.isArray(input) && input.length > 0) writeResponseItems(input, writer);
  else if (task.messages && task.messages.length > 0) writeChatMessages(task.messages, writer);
  else writeProblem(task, request, writer);
  writer.endContext();
}

function writeProblem(task: Task, request: Fields, writer: StepWriter): void {
  const statements = [request.metadata, task.metadata].map((metadata) =>
    isFields(metadata) ? metadata.problem_statement : undefined,
  );
  const problem = [...statements, task.prompt, task.title].find(
    (text): text is string => typeof text === "string" && text.trim() !== "",
  );
  if (problem !== undefined) writer.say("user", sourceContent(problem));
}

/** Messages that repeat the task's are the request; without any, the task's own request goes before them. */
function writeConversation(task: Task, messages: readonly Fields[], writer: StepWriter): void {
  const asked = task.messages ?? [];
  const repeats = asked.length > 0 && isDeepStrictEqual(messages.slice(0, asked.length), asked);
  const firstOfAgent = messages.findIndex((message) => message.role === "assistant");
  const opening = messages.slice(0, firstOfAgent === -1 ? messages.length : firstOfAgent);
  if (repeats) {
    writer.beginContext();
    writeChatMessages(asked, writer);
    writer.endContext();
  } else if (!opening.some((message) => message.role === "user")) {
    writeRequest(task, writer);
  }
  writeChatMessages(repeats ? messages.slice(asked.length) : messages, writer);
}

function writeSteps(steps: readonly SolutionStep[], writer: StepWriter): void {
  for (const [index, step] of steps.entries()) {
    writer.endTurn();
    const { thought, message, tool, observation, timestamp } = step;
    const id = `call_${index + 1}`;
    writer.speak(sourceContent(message));
    if (thought) writer.think(thought);
    if (tool) writer.call({ id, name: tool, arguments: step.arguments });
    else if (step.arguments) writer.note({ arguments: step.arguments });
    if (observation !== null && observation !== undefined) {
      writer.observe(tool ? id : undefined, sourceContent(observation));
    }
    writer.at(timestamp);
  }
}

/** The answer is the agent's last word, unless its last message has it already. */
function writeAnswer(answer: string, last: SolutionStep | undefined, writer: StepWriter): void {
  if (last?.message?.includes(answer) === true) return;
  writer.endTurn();
  writer.speak(sourceContent(answer));
}

function textOf(answer: unknown): string {
  return typeof answer === "string" ? answer : JSON.stringify(answer);
}

function agentOf(task: Task, solution: Solution): Trajectory["agent"] {
  const request: Fields = task.responses_create_params ?? {};
  const response: Fields = solution.response ?? {};
  const model = [solution.model, response.model, request.model].find((name) => typeof name === "string");
  const tools = [request.tools, response.tools, task.tools].find(
    (list): list is unknown[] => Array.isArray(list) && list.length > 0,
  );
  const version = solution.agent_version;
  return {
    name: solution.agent || "recorded",
    version: typeof version === "string" ? version : "unknown",
    ...(typeof model === "string" && { model_name: model }),
    ...(tools !== undefined && { tool_definitions: tools.filter(isFields).map(chatTool) }),
  };
}

/** A tool in chat form: `{type: "function", function: {…}}`. Built-in tools stay as they are. */
function chatTool(tool: Fields): Record<string, unknown> {
  const { type = "function", ...definition } = tool;
  if (type !== "function" || isFields(tool.function)) return { ...tool };
  const { name, description, parameters, ...rest } = definition;
  return { type, function: { name, ...(description != null && { description }), parameters, ...rest } };
}

/** Token counts of a Responses or chat `usage`; other counts go into `extra`. */
function usageOf(solution: Solution): Trajectory["final_metrics"] {
  const usage = solution.response?.usage ?? solution.usage;
  if (!isFields(usage)) return {};
  const inputDetails = usage.input_tokens_details ?? usage.prompt_tokens_details;
  const outputDetails = usage.output_tokens_details ?? usage.completion_tokens_details;
  const prompt = wholeNumber(usage.input_tokens ?? usage.prompt_tokens);
  const completion = wholeNumber(usage.output_tokens ?? usage.completion_tokens);
  const cached = isFields(inputDetails) ? wholeNumber(inputDetails.cached_tokens) : undefined;
  const reasoning = isFields(outputDetails) ? wholeNumber(outputDetails.reasoning_tokens) : undefined;
  return {
    ...(prompt !== undefined && { total_prompt_tokens: prompt }),
    ...(completion !== undefined && { total_completion_tokens: completion }),
    ...(cached !== undefined && { total_cached_tokens: cached }),
    ...(reasoning !== undefined && { extra: { reasoning_tokens: reasoning } }),
  };
}

function wholeNumber(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

function extraOf(task: Task, solution: Solution, form: Form): Record<string, unknown> {
  const { status, error, incomplete_details } = solution.response ?? {};
  const ended = { status, error, incomplete_details };
  const response = Object.entries(ended).filter(([, value]) => value !== null && value !== undefined);
  return {
    task_id: task.id,
    solution_id: solution.id,
    source_form: form,
    ...(solution.created_at && { created_at: solution.created_at }),
    ...(solution.answer != null && { answer: solution.answer }),
    ...(response.length > 0 && { response: Object.fromEntries(response) }),
  };
}
