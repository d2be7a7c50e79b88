import { describe, expect, test } from "vitest";
import { plantedSecrets } from "../../../../test/fakes/planted-secrets.ts";
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

describe("a secret in a spec", () => {
  const key = plantedSecrets(1).find(({ kind }) => kind === "github-token")?.value ?? "";
  const agent = (options: object) => ({ ...minimal, agents: [{ name: "command", options }] });

  test.each([
    [
      agent({ command: "solve", env: { GITHUB: key } }),
      /s.yaml: `agents\[0\].options.env.GITHUB` holds.*options.env/,
    ],
    [agent({ env: { DB_PASSWORD: "vR8#kq2Lw0zT" } }), /`agents\[0\].options.env.DB_PASSWORD` holds/],
    [
      agent({ extraBody: { user: key } }),
      /`agents\[0\].options.extraBody.user` holds a secret \(github-token\)/,
    ],
    [
      { ...minimal, models: { m: { command: ["serve", `--token=${key}`] } } },
      /`models.m.command\[1\]` holds/,
    ],
    [
      { ...minimal, providers: { acme: { url: `https://bot:${key}@models.acme.io/v1` } } },
      /`providers.acme.url` holds.*provider's `key`/,
    ],
  ])("is refused where results would show it (%#)", (spec, message) => {
    expect(() => parseRunSpec(spec, "s.yaml")).toThrow(message);
    expect(() => parseRunSpec(spec, "s.yaml")).not.toThrow(key);
  });

  test("may stand where variables are, and so may a variable's name", () => {
    const env = { GITHUB_TOKEN: key };
    const agents = [{ name: "command", options: { env: { TOKEN: "${GITHUB_TOKEN}" }, maxTokens: 4096 } }];
    const spec = {
      ...minimal,
      agents,
      env,
      models: { m: { env } },
      redact: { patterns: { own: "ghp_[a-z]{36}" } },
    };
    expect(parseRunSpec(spec, "s.yaml").env).toEqual(env);
  });
});
