import * as z from "zod";
import { messageOf, TracemillError } from "../errors.ts";
import { hashFiles, type TaskFile } from "../harbor/task-files.ts";
import { canonicalJson } from "../run/spec.ts";
import { parseAs } from "../validation.ts";

const FILE = "scenario.json";

const ScenarioToolCall = z.strictObject({
  id: z.string(),
  type: z.literal("function"),
  function: z.strictObject({
    name: z.string(),
    /** JSON text. */
    arguments: z.string(),
  }),
});

/** A message of the request, in OpenAI chat form. */
export const ScenarioMessage = z.strictObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string(),
  reasoning_content: z.string().exactOptional(),
  tool_calls: z.array(ScenarioToolCall).exactOptional(),
  tool_call_id: z.string().exactOptional(),
});
export type ScenarioMessage = z.infer<typeof ScenarioMessage>;

/** A task that is a request to a model rather than work in a folder: `scenario.json`. */
export const Scenario = z.strictObject({
  schemaVersion: z.literal(1),
  name: z.string().min(1),
  /** For example `qa` or `tool`. */
  kind: z.string().min(1),
  messages: z.array(ScenarioMessage).min(1, "needs at least one message"),
  /** OpenAI tool objects. */
  tools: z.array(z.record(z.string(), z.unknown())).default([]),
  /** The right answer, compared with the agent's final one by `sameAnswer`. */
  expected_answer: z.string().exactOptional(),
  metadata: z.record(z.string(), z.unknown()).default({}),
});
export type Scenario = z.infer<typeof Scenario>;

/** The scenario as task files: one, with sorted keys, so that the same scenario has the same hash. */
export function scenarioFiles(scenario: Scenario): TaskFile[] {
  return [{ path: FILE, content: Buffer.from(`${canonicalJson(scenario)}\n`), mode: 0o644 }];
}

/**
 * Reads the scenario of a task folder or archive; `where` names it in errors.
 * @throws TracemillError `invalid-task`, naming the field.
 */
export function readScenario(files: readonly TaskFile[], where: string): Scenario {
  const file = files.find(({ path }) => path === FILE);
  if (file === undefined) throw new TracemillError("invalid-task", `${where}: ${FILE} is not there`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.content));
  } catch (error) {
    const message = `${where}: ${FILE} is not JSON in UTF-8: ${messageOf(error)}`;
    throw new TracemillError("invalid-task", message, { cause: error });
  }
  return parseAs(Scenario, value, `${where}: ${FILE}`, "invalid-task");
}

/** The content hash of a scenario: Harbor's algorithm over `scenario.json` alone, 64 hex digits. */
export function scenarioHash(files: readonly TaskFile[]): string {
  return hashFiles(files.filter(({ path }) => path === FILE));
}
