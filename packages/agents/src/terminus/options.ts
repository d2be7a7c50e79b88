import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";
import { modelOptions } from "../model-options.ts";

/** `agents[].options` of a spec for `terminus`. */
export const TerminusOptions = z.strictObject({
  ...modelOptions,
  /** The form of the model's replies. */
  parser: z.enum(["json", "xml"]).default("json"),
  /** The most answers that the model may give to the task; what a summary takes is not counted. */
  maxTurns: z.number().int().min(1).default(200),
  /** Replies in a row that nobody can read, before the agent has failed. */
  maxMalformed: z.number().int().min(1).default(5),
  /** Tokens that the model's context holds, answers included. With it a summary is made in time, without it when it is refused. */
  contextTokens: z.number().int().min(1_000).optional(),
  /** Whether a conversation that grows too long is summarised. */
  summarize: z.boolean().default(true),
  cols: z.number().int().min(20).max(500).default(160),
  rows: z.number().int().min(5).max(200).default(40),
  /** `prompt`: a wait ends when the shell is back at its prompt; `full`: every wait takes its whole time. */
  wait: z.enum(["prompt", "full"]).default("prompt"),
  /** Added to the system prompt. */
  instructions: z.string().min(1).optional(),
});
export type TerminusOptions = z.infer<typeof TerminusOptions>;

/** @throws TracemillError `invalid-spec`, naming the option. */
export function terminusOptions(options: Record<string, unknown> = {}): TerminusOptions {
  return parseAs(TerminusOptions, options, "agents: options of terminus", "invalid-spec");
}
