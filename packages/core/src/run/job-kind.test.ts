import { expect, test } from "vitest";
import { type JobKind, jobKindOf } from "./job-kind.ts";
import { parseRunSpec, type RunSpec } from "./spec.ts";

const both = { trace: true, evaluate: true };
const none = { trace: false, evaluate: false };

function specOf(parts: Record<string, unknown>): RunSpec {
  return parseRunSpec({ name: "t", tasks: ["."], agents: [{ name: "a" }], ...parts }, "spec");
}

const cases: [
  string,
  Record<string, unknown>,
  { sandboxed: typeof both; model?: string },
  JobKind,
  JobKind,
][] = [
  ["namespaces want a host", {}, { sandboxed: both }, "host", "host"],
  ["what runs no commands wants a plain container", {}, { sandboxed: none }, "container", "container"],
  ["each stage for itself", {}, { sandboxed: { trace: false, evaluate: true } }, "container", "host"],
  ["an image of the task's own", { sandbox: "job" }, { sandboxed: both }, "sandbox", "sandbox"],
  [
    "a served model wants a GPU, its tests do not",
    { models: { m: {} } },
    { sandboxed: both, model: "m" },
    "gpu",
    "host",
  ],
  [
    "a model behind an API does not",
    { models: { m: {} } },
    { sandboxed: none, model: "n" },
    "container",
    "container",
  ],
];

test.each(cases)("%s", (_what, parts, shard, trace, evaluate) => {
  const spec = specOf(parts);
  expect(jobKindOf({ shardId: "shd_1", ...shard }, "trace", spec)).toBe(trace);
  expect(jobKindOf({ shardId: "shd_1", ...shard }, "evaluate", spec)).toBe(evaluate);
});

test("a GPU job has no containers of task images", () => {
  const spec = specOf({ sandbox: "job", models: { m: {} } });
  const shard = { shardId: "shd_1", sandboxed: both, model: "m" };
  expect(() => jobKindOf(shard, "trace", spec)).toThrow("shard shd_1: `models` serves m on a GPU job");
  expect(jobKindOf(shard, "evaluate", spec)).toBe("sandbox");
});
