import { describe, expect, test } from "vitest";
import { formatDuration } from "./duration.ts";
import { canonicalJson, parseRunSpec, requireOnAws, specHash } from "./spec.ts";

const minimal = { name: "n", tasks: ["./tasks"], agents: [{ name: "oracle" }] };

describe("a run's spec", () => {
  test("is filled in with defaults, and durations become milliseconds", () => {
    const spec = parseRunSpec(
      { ...minimal, limits: { time: "15m", run: { time: 90 } }, export: { name: "d" } },
      "s.yaml",
    );
    expect(spec).toMatchObject({
      attempts: 1,
      concurrency: 4,
      sandbox: "namespace",
      retry: { max: 2 },
      limits: { time: 900_000, run: { time: 90_000 } },
      export: { formats: ["sft", "trials"], splits: { train: 1 }, seed: 0 },
    });
  });

  test.each([
    [{ ...minimal, attemps: 3 }, "unknown key `attemps` (did you mean `attempts`?)"],
    [{ ...minimal, limits: { tokenz: 3 } }, "unknown key `limits.tokenz` (did you mean `tokens`?)"],
    [{ ...minimal, agents: [{ nam: "x" }] }, "unknown key `agents.0.nam` (did you mean `name`?)"],
    [{ ...minimal, source: { kind: "prod", maxTask: 3 } }, "did you mean `maxTasks`?"],
    [{ ...minimal, limits: { time: "15 minutes" } }, "`limits.time`: wants a duration such as 90s"],
    [{ ...minimal, attempts: 0 }, "`attempts`"],
    [{ ...minimal, tasks: [] }, "nothing to run: give `source`, `tasks`, or both"],
    [{ ...minimal, agents: [{ name: "a" }, { name: "a" }] }, "`agents` names a twice"],
    [
      { ...minimal, export: { name: "d", splits: { train: 0.5 } } },
      "`export.splits` add up to 0.5, not to 1",
    ],
    [{ ...minimal, export: { name: "../d" } }, "`export.name`"],
    [null, "s.yaml"],
  ])("that is wrong (%#) is refused with file, field and what is wanted", (value, message) => {
    expect(() => parseRunSpec(value, "s.yaml")).toThrow(message);
    expect(() => parseRunSpec(value, "s.yaml")).toThrow(/^s\.yaml: /);
  });

  test("has the same hash whatever the order of its keys", () => {
    const { name, ...rest } = minimal;
    expect(specHash(parseRunSpec({ ...rest, name }, "a"))).toBe(specHash(parseRunSpec(minimal, "b")));
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  });
});

test.each([
  [850, "850 ms"],
  [12_340, "12.3 s"],
  [245_000, "4 m 05 s"],
  [7_800_000, "2 h 10 m"],
])("%d ms reads %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("Docker is for one machine: on AWS it is refused, with what to say instead", () => {
  expect(() => requireOnAws({ sandbox: "docker" }, "nightly.yaml")).toThrow(
    /nightly\.yaml: `sandbox: docker` is for one machine; on AWS say `job`/,
  );
  for (const sandbox of ["job", "namespace"] as const) requireOnAws({ sandbox }, "nightly.yaml");
});
