import type { ToolDefinition } from "@tracemill/core/ports/model-client.ts";
import type { Sandbox } from "@tracemill/core/ports/sandbox.ts";

/** Tools of one attempt, with what they keep between calls (an interpreter, for example). */
export interface ToolSession {
  sandbox: Sandbox;
  signal: AbortSignal;
  /** Ended with the attempt. */
  resources: AsyncDisposableStack;
  /** Most time for one call, in milliseconds; without it each tool has its own. */
  timeoutMs?: number;
}

export type Runner = (args: Record<string, unknown>) => Promise<string>;

export interface Tool {
  /** Names under which agents in the field know it; the first one is ours. */
  names: readonly string[];
  definition: ToolDefinition;
  /** Opens the tool for an attempt. */
  open(session: ToolSession): Runner;
}

/** A tool's argument under any of its usual names, as text. `undefined` when none is there. */
export function textArgument(args: Record<string, unknown>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = args[name];
    if (typeof value === "string") return value;
  }
  return undefined;
}

/** The answer to a call whose arguments are not those of the tool; a model can mend that itself. */
export function badArguments(tool: string, wanted: string): string {
  return `error: ${tool} wants ${wanted}`;
}
