import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { isTimestamp } from "./timestamp.ts";
import { parseTrajectory, Trajectory } from "./trajectory.ts";

const cases: { case: string; valid: boolean; trajectory: unknown }[] = JSON.parse(
  readFileSync(
    new URL("../../../../test/fixtures/harbor/atif_validation_cases.json", import.meta.url),
    "utf8",
  ),
);
const schemaFile = new URL("../../../../../shared/formats/harbor-schemas/Trajectory.json", import.meta.url);

/** What each of Harbor's invalid cases must be blamed on. */
const blamed: Record<string, RegExp> = {
  "step_id gap": /`steps.1.step_id`: expected 2, not 5/,
  "unknown root field": /unknown key `foo`/,
  "tool_calls on user step": /`steps.1.tool_calls`: only a step of the agent has it/,
  "dangling source_call_id": /`steps.2.observation.results.0.source_call_id`: no tool call .* "zzz"/,
  "llm_call_count 0 with metrics": /`steps.2.metrics`: a step with llm_call_count 0 has none/,
  "bad timestamp": /`steps.2.timestamp`: not an ISO 8601 time/,
  "empty steps": /`steps`: needs at least one step/,
  "schema_version ATIF-v2.0": /`schema_version`/,
  "subagent w/o trajectory_id": /`subagent_trajectories.0.trajectory_id`: needed/,
  "subagent ref w/ only session_id": /subagent_trajectory_ref.0.trajectory_id`: needed/,
  "image part w/o source": /`steps.1.message.0.source`/,
};

function minimal(step: Record<string, unknown>) {
  return {
    agent: { name: "a", version: "1" },
    steps: [{ step_id: 1, source: "agent", message: "", ...step }],
  };
}

describe("parseTrajectory", () => {
  test.each(cases)("judges as Harbor does: $case", ({ case: name, valid, trajectory }) => {
    const parse = () => parseTrajectory(trajectory, "trajectory.json");
    if (valid) {
      expect(parse()).toEqual({ schema_version: "ATIF-v1.8", ...(trajectory as object) });
      return;
    }
    expect(parse).toThrow(expect.objectContaining({ code: "invalid-trajectory" }));
    expect(parse).toThrow(blamed[name]);
  });

  test("takes a null as an absent key, but keeps nulls inside arguments and extra", () => {
    const call = { tool_call_id: "c", function_name: "f", arguments: { a: null }, extra: { b: null } };
    const parsed = parseTrajectory(minimal({ timestamp: null, metrics: null, tool_calls: [call] }), "t");
    expect(JSON.parse(JSON.stringify(parsed.steps[0]))).toEqual({
      step_id: 1,
      source: "agent",
      message: "",
      tool_calls: [call],
    });
  });

  test("parses what it has written", () => {
    for (const { trajectory } of cases.filter(({ valid }) => valid)) {
      const parsed = parseTrajectory(trajectory, "t");
      expect(parseTrajectory(JSON.parse(JSON.stringify(parsed)), "t")).toEqual(parsed);
    }
  });

  test.each([
    [{ mood: "good" }, /unknown key `steps.0.mood`/],
    [{ observation: { results: [], more: 1 } }, /unknown key `steps.0.observation.more`/],
    [{ metrics: { prompt_tokens: 1.5 } }, /`steps.0.metrics.prompt_tokens`/],
    [{ llm_call_count: 0, reasoning_content: "hm" }, /`steps.0.reasoning_content`/],
    [{ message: [{ type: "text" }] }, /`steps.0.message.0.text`/],
    [
      { message: [{ type: "audio", source: { media_type: "image/png", path: "a" } }] },
      /steps.0.message.0.source.media_type/,
    ],
    [
      { message: [{ type: "image", text: "x", source: { media_type: "image/png", path: "a" } }] },
      /steps.0.message.0.text/,
    ],
    [
      { tool_calls: [{ tool_call_id: "c", function_name: "f", arguments: "{}" }] },
      /steps.0.tool_calls.0.arguments/,
    ],
    [{ source: "tool" }, /`steps.0.source`/],
  ])("refuses a step with %j", (step, problem) => {
    expect(() => parseTrajectory(minimal(step), "t")).toThrow(problem);
  });

  test("refuses two subagents with one id, and faults inside of subagents", () => {
    const sub = { ...minimal({}), trajectory_id: "s" };
    const twice = { ...minimal({}), subagent_trajectories: [sub, sub] };
    expect(() => parseTrajectory(twice, "t")).toThrow(
      /`subagent_trajectories.1.trajectory_id`: "s" comes twice/,
    );
    const faulty = { ...sub, steps: [{ step_id: 2, source: "user", message: "" }] };
    const inside = { ...minimal({}), subagent_trajectories: [faulty] };
    expect(() => parseTrajectory(inside, "t")).toThrow(
      /`subagent_trajectories.0.steps.0.step_id`: expected 1/,
    );
  });

  test("brings common spellings of audio types to the registered ones", () => {
    const part = { type: "audio", source: { media_type: "Audio/MP3", path: "a.mp3" } };
    const { steps } = parseTrajectory(minimal({ message: [part] }), "t");
    expect(steps[0]?.message).toMatchObject([{ source: { media_type: "audio/mpeg" } }]);
  });
});

describe("isTimestamp", () => {
  /** Checked against Python 3.12's datetime.fromisoformat. */
  test.each([
    "2026-01-01T00:00:00Z",
    "2026-01-01 00:00:00.123456+02:00",
    "2026-01-01",
    "20260101T000000",
    "2026-W01-1",
    "2026-01-01T10",
    "2026-01-01T10:30:00,5-0130",
    "2024-02-29T00:00:00",
  ])("takes %s", (text) => {
    expect(isTimestamp(text)).toBe(true);
  });

  test.each([
    "yesterday",
    "",
    "2026-13-01",
    "2026-02-30",
    "2026-01-01T25:00",
    "2026-01-01T",
    "1767225600",
    "2026-1-1",
  ])("refuses %j", (text) => {
    expect(isTimestamp(text)).toBe(false);
  });
});

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  required?: string[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  items?: JsonSchema;
}

describe("Trajectory", () => {
  test.skipIf(!existsSync(schemaFile))("has the keys of Harbor's own schema (needs ../shared)", () => {
    const theirs: JsonSchema = JSON.parse(readFileSync(schemaFile, "utf8"));
    const ours = z.toJSONSchema(Trajectory, { io: "input" }) as JsonSchema;
    expect(keysOf(ours)).toEqual(keysOf(theirs));
  });
});

/** All paths of keys, not going into a schema within itself. */
function keysOf(root: JsonSchema): string[] {
  const walk = (schema: JsonSchema, path: string, above: readonly string[]): string[] => {
    const ref = schema.$ref;
    if (ref === "#") return [];
    if (ref !== undefined) {
      const target = root.$defs?.[ref.replace("#/$defs/", "")] ?? {};
      return above.includes(ref) ? [] : walk(target, path, [...above, ref]);
    }
    const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])];
    const keys = Object.entries(schema.properties ?? {});
    return [
      ...inner.flatMap((option) => walk(option, path, above)),
      ...keys.flatMap(([key, value]) => [`${path}.${key}`, ...walk(value, `${path}.${key}`, above)]),
    ];
  };
  return [...new Set(walk(root, "", []))].toSorted();
}
