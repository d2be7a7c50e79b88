import type { DemoSolution, DemoStep, DemoTask } from "./content.ts";

/** A recorded solution in the forms that production APIs give them. Times are made up from its creation. */

export interface Call {
  tool: string;
  arguments: Record<string, unknown>;
}

/** The call of a step, written out. */
export function callOf(step: DemoStep): Call | undefined {
  if (step.bash !== undefined) return { tool: "bash", arguments: { command: step.bash } };
  if (step.python !== undefined) return { tool: "execute_python", arguments: { code: step.python } };
  if (step.read !== undefined) return { tool: "read_file", arguments: { path: step.read } };
  if (step.write !== undefined) return { tool: "write_file", arguments: step.write };
  return step.call;
}

/** The fields of a solution that hold what the agent did. */
export function bodyOf(solution: DemoSolution, task: DemoTask, createdAt: string): Record<string, unknown> {
  switch (solution.form) {
    case "steps":
      return { steps: solution.steps.map((step, index) => simpleStep(step, timeOf(createdAt, index))) };
    case "messages":
      return { messages: [...requestMessages(task), ...solution.steps.flatMap(chatMessages)] };
    case "response":
      return { response: responseOf(solution) };
    case "trajectory":
      return { trajectory: atifOf(solution, task, createdAt) };
    case "answer":
      return { answer: solution.steps.at(-1)?.message ?? "" };
  }
}

function timeOf(createdAt: string, index: number): string {
  return new Date(Date.parse(createdAt) + index * 20_000).toISOString();
}

function simpleStep(step: DemoStep, timestamp: string): Record<string, unknown> {
  const { thought, message, observation } = step;
  const call = callOf(step);
  return { timestamp, thought, tool: call?.tool, arguments: call?.arguments, observation, message };
}

function requestMessages(task: DemoTask): Record<string, unknown>[] {
  return task.messages ?? [{ role: "user", content: task.prompt ?? task.title }];
}

function chatMessages(step: DemoStep, index: number): Record<string, unknown>[] {
  const call = callOf(step);
  const said = { role: "assistant", content: step.message ?? "", reasoning_content: step.thought };
  if (call === undefined) return [said];
  const id = `call_${index + 1}`;
  const made = { name: call.tool, arguments: JSON.stringify(call.arguments) };
  return [
    { ...said, tool_calls: [{ id, type: "function", function: made }] },
    { role: "tool", tool_call_id: id, content: step.observation ?? "" },
  ];
}

function responseOf({ id, model, steps }: DemoSolution): Record<string, unknown> {
  const output = steps.flatMap(responseItems);
  const written = JSON.stringify(output.filter(({ type }) => type !== "function_call_output")).length;
  const read = JSON.stringify(output).length;
  // About four characters a token.
  const usage = { input_tokens: Math.ceil(read / 4) + 300, output_tokens: Math.ceil(written / 4) };
  return {
    id: `resp_${id}`,
    object: "response",
    model,
    status: "completed",
    output,
    usage: { ...usage, total_tokens: usage.input_tokens + usage.output_tokens },
  };
}

function responseItems(step: DemoStep, index: number): Record<string, unknown>[] {
  const items: Record<string, unknown>[] = [];
  const call = callOf(step);
  const id = `call_${index + 1}`;
  if (step.thought)
    items.push({ type: "reasoning", summary: [{ type: "summary_text", text: step.thought }] });
  if (step.message) {
    items.push({
      type: "message",
      role: "assistant",
      content: [{ type: "output_text", text: step.message, annotations: [] }],
    });
  }
  if (call !== undefined) {
    items.push(
      { type: "function_call", call_id: id, name: call.tool, arguments: JSON.stringify(call.arguments) },
      { type: "function_call_output", call_id: id, output: step.observation ?? "" },
    );
  }
  return items;
}

function atifOf(solution: DemoSolution, task: DemoTask, createdAt: string): Record<string, unknown> {
  const asked = { step_id: 1, timestamp: createdAt, source: "user", message: task.prompt ?? task.title };
  return {
    schema_version: "ATIF-v1.7",
    session_id: solution.id,
    agent: { name: solution.agent, version: "4.2.0", model_name: solution.model },
    steps: [
      asked,
      ...solution.steps.map((step, index) => atifStep(step, index + 2, timeOf(createdAt, index + 1))),
    ],
  };
}

function atifStep(step: DemoStep, stepId: number, timestamp: string): Record<string, unknown> {
  const call = callOf(step);
  const id = `call_${stepId}`;
  return {
    step_id: stepId,
    timestamp,
    source: "agent",
    message: step.message ?? "",
    reasoning_content: step.thought,
    ...(call === undefined
      ? {}
      : {
          tool_calls: [{ tool_call_id: id, function_name: call.tool, arguments: call.arguments }],
          observation: { results: [{ source_call_id: id, content: step.observation ?? "" }] },
        }),
  };
}
