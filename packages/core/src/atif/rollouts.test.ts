import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Solution, Task } from "../production/schemas.ts";
import { trajectoryToConversations } from "./conversations.ts";
import { solutionToTrajectory } from "./from-solution.ts";
import { trajectoryToMessages } from "./messages.ts";
import { parseTrajectory } from "./trajectory.ts";

const folder = new URL("../../../../../shared/data/rollouts/", import.meta.url);

interface Item {
  type?: string;
  role?: string;
  content?: string | { text?: string }[];
  summary?: { text: string }[];
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string;
}

interface Rollout {
  responses_create_params: {
    input: string | Item[];
    tools: { name: string }[];
    metadata?: { problem_statement?: string };
  };
  response: { output: Item[] };
}

const rollouts: { name: string; rollout: Rollout }[] = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith(".jsonl"))
      .flatMap((file) => {
        const rows = readFileSync(new URL(file, folder), "utf8").split("\n").filter(Boolean);
        return rows.map((row, index) => ({ name: `${file}, row ${index + 1}`, rollout: JSON.parse(row) }));
      })
  : [];

/** Every text of the items: messages, reasoning, outputs. */
function textsOf(items: readonly Item[]): string[] {
  const texts = items.flatMap(({ content, summary, output }) => [
    ...(typeof content === "string" ? [content] : (content ?? []).map((part) => part.text ?? "")),
    ...(summary ?? []).map((part) => part.text),
    ...(output === undefined ? [] : [output]),
  ]);
  return texts.filter((text) => text !== "");
}

describe("recorded rollouts", () => {
  test.skipIf(rollouts.length === 0)("are there to be read (needs ../shared/data)", () => {
    expect(rollouts.length).toBeGreaterThanOrEqual(29);
  });

  test.each(rollouts)("become valid trajectories without losing a word: $name", ({ rollout }) => {
    const { responses_create_params: request, response } = rollout;
    const trajectory = solutionToTrajectory({
      task: Task.parse({ id: "t", responses_create_params: request }),
      solution: Solution.parse({ id: "s", response }),
    });
    expect(parseTrajectory(JSON.parse(JSON.stringify(trajectory)), "again")).toEqual(trajectory);

    const input = typeof request.input === "string" ? [{ content: request.input }] : request.input;
    const asked = textsOf(input).length === 0 ? [request.metadata?.problem_statement ?? ""] : textsOf(input);
    const { messages, tools } = trajectoryToMessages(trajectory);
    const told = messages
      .map((message) => `${message.reasoning_content ?? ""}\n${message.content}`)
      .join("\n\n");
    for (const text of [...asked, ...textsOf(response.output)]) expect(told).toContain(text);

    const calls = response.output.filter((item) => item.type === "function_call");
    const kept = messages.flatMap((message) => message.tool_calls ?? []);
    expect(kept.map((call) => [call.id, call.function.name, JSON.parse(call.function.arguments)])).toEqual(
      calls.map((call) => [call.call_id, call.name, JSON.parse(call.arguments ?? "")]),
    );
    expect(
      messages.filter((message) => message.role === "tool").map((message) => message.tool_call_id),
    ).toEqual(
      response.output.filter((item) => item.type === "function_call_output").map((item) => item.call_id),
    );
    const toolNames = tools.map((tool) => (tool.function as { name: string }).name);
    expect(toolNames).toEqual(request.tools.map((tool) => tool.name));
  });

  test.each(rollouts)(
    "export as Harbor rows: $name",
    ({ rollout: { responses_create_params, response } }) => {
      const task = Task.parse({ id: "t", responses_create_params });
      const trajectory = solutionToTrajectory({ task, solution: Solution.parse({ id: "s", response }) });
      const trial = {
        agent: "a",
        model: "m",
        modelProvider: "p",
        date: "",
        runId: "r",
        task: "t",
        trialName: "t__1",
      };
      const rows = trajectoryToConversations(trajectory, trial, { episodes: "all" });
      expect(rows.length).toBe(
        trajectory.steps.filter((step) => step.source === "agent" && !step.is_copied_context).length,
      );
      expect(rows.every((row) => row.conversations.at(-1)?.role === "assistant")).toBe(true);
    },
  );
});
