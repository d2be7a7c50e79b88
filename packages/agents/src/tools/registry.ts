import { TracemillError } from "@tracemill/core/errors.ts";
import type { ToolCall, ToolDefinition } from "@tracemill/core/ports/model-client.ts";
import { bash } from "./bash.ts";
import { editFile } from "./edit-file.ts";
import { readFile, writeFile } from "./files.ts";
import { python } from "./python.ts";
import type { Runner, Tool, ToolSession } from "./tool.ts";

const tools: readonly Tool[] = [bash, writeFile, readFile, editFile, python];

function findTool(name: string): Tool | undefined {
  return tools.find((tool) => tool.names.includes(name));
}

/** Whether a live sandbox can answer calls of this tool. */
export function isLiveTool(name: string): boolean {
  return findTool(name) !== undefined;
}

/** Definitions of our own tools, in OpenAI form. */
export function toolDefinitions(names: readonly string[]): ToolDefinition[] {
  return names.map((name) => {
    const tool = findTool(name);
    if (tool === undefined) throw new TracemillError("invalid-input", `no tool is called ${name}`);
    return tool.definition;
  });
}

export type CallTool = (call: ToolCall) => Promise<{ output: string; available: boolean }>;

/** Opens the tools for an attempt: each is opened when it is first called. */
export function openTools(session: ToolSession): CallTool {
  const open = new Map<Tool, Runner>();
  return async (call) => {
    const tool = findTool(call.name);
    if (tool === undefined) return { output: `error: there is no tool ${call.name} here`, available: false };
    const run = open.get(tool) ?? tool.open(session);
    open.set(tool, run);
    return { output: await run(call.arguments), available: true };
  };
}
