import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  DecidingCommand,
  EmbeddedHarborTask,
  Evaluation,
  ProductionEnvironment,
} from "@tracemill/core/production/schemas.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { parse } from "yaml";
import { z } from "zod";

/**
 * The demo's tasks and recorded solutions as they are written down: one YAML file a family below `content/`.
 * `note`, `reward` and `stale` are for the reader and for `verify-content.ts`; the API never shows them.
 */

const Text = z.string();

/** One step: at most one call, written short (`bash`, `python`, `read`, `write`) or long (`call`). */
export const DemoStep = z.strictObject({
  thought: Text.optional(),
  bash: Text.optional(),
  python: Text.optional(),
  read: Text.optional(),
  write: z.strictObject({ path: Text, content: Text }).optional(),
  call: z.strictObject({ tool: Text, arguments: z.record(z.string(), z.unknown()) }).optional(),
  /** What came back; written here by `verify-content.ts --record`. */
  observation: Text.optional(),
  /** Why the observation differs when the step is run again. */
  stale: Text.optional(),
  message: Text.optional(),
});
export type DemoStep = z.infer<typeof DemoStep>;

export const DemoSolution = z.strictObject({
  id: Text,
  agent: Text,
  model: Text,
  /** The form in which the API gives it. */
  form: z.enum(["steps", "messages", "response", "trajectory", "answer"]),
  /** What a real run of it gives; absent where nothing decides. */
  reward: z.number().min(0).max(1).optional(),
  /** What the API claims about it. */
  evaluation: Evaluation,
  /** Why the claim is false. */
  note: Text.optional(),
  steps: z.array(DemoStep).min(1),
});
export type DemoSolution = z.infer<typeof DemoSolution>;

export const DemoTask = z.strictObject({
  id: Text,
  title: Text,
  kind: z.enum(["shell", "python", "git", "data", "sql", "form", "qa", "tool"]),
  status: z.enum(["done", "in_progress", "partial", "cancelled"]).default("done"),
  group: Text,
  tags: z.array(Text),
  prompt: Text.optional(),
  harbor: EmbeddedHarborTask.optional(),
  /** The API gives the Harbor task as a base64 tar rather than as files. */
  packed: z.boolean().default(false),
  environment: ProductionEnvironment.optional(),
  verify: DecidingCommand.optional(),
  reference_solution: Text.optional(),
  responses_create_params: z.looseObject({ input: z.array(z.looseObject({})) }).optional(),
  messages: z.array(z.looseObject({ role: Text, content: Text })).optional(),
  tools: z.array(z.looseObject({})).optional(),
  expected_answer: Text.optional(),
  solutions: z.array(DemoSolution),
});
export type DemoTask = z.infer<typeof DemoTask>;

export const contentDir = join(import.meta.dirname, "content");

/** The files of the content, by name. */
export async function contentFiles(): Promise<string[]> {
  const names = await readdir(contentDir);
  return names.filter((name) => name.endsWith(".yaml")).toSorted();
}

/** All tasks of the demo, family by family. @throws TracemillError `invalid-input`, naming file and field. */
export async function readContent(): Promise<DemoTask[]> {
  const families = (await contentFiles()).map(async (name) => {
    const text = await readFile(join(contentDir, name), "utf8");
    return parseAs(z.array(DemoTask), parse(text), `content/${basename(name)}`);
  });
  return (await Promise.all(families)).flat();
}
