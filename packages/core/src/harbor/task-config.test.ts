import { existsSync, readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { allowedHost } from "./allowed-hosts.ts";
import { TaskConfig } from "./task-config.ts";
import { formatTaskConfig, parseTaskConfig, unknownTaskKeys } from "./task-config-toml.ts";

const fixtures = new URL("../../../../test/fixtures/harbor/", import.meta.url);
const schemaFile = new URL("../../../../../shared/formats/harbor-schemas/TaskConfig.json", import.meta.url);

function golden(name: string): string {
  return readFileSync(new URL(name, fixtures), "utf8");
}

function problemOf(toml: string): string {
  try {
    parseTaskConfig(toml, "task.toml");
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid-task" });
    return (error as Error).message;
  }
  return "none";
}

describe("parseTaskConfig", () => {
  test("reads a task.toml as Harbor does, defaults included", () => {
    const parsed = JSON.parse(golden("task_config_parsed.json"));
    expect(parseTaskConfig(golden("task_config_roundtrip.toml"), "task.toml")).toStrictEqual(parsed);
    expect(parseTaskConfig(golden("task_hello/task.toml"), "task.toml")).toStrictEqual(parsed);
  });

  test("reads an empty file as all defaults", () => {
    expect(parseTaskConfig("", "task.toml")).toMatchObject({
      schema_version: "1.4",
      verifier: { timeout_sec: 600 },
      agent: { timeout_sec: null },
      environment: { network_mode: "public", build_timeout_sec: 600 },
    });
  });

  test("understands older spellings", () => {
    const config = parseTaskConfig(
      `version = "1.0"
[environment]
memory = "2G"
storage = "512m"
allow_internet = false
os = "Linux"
[[environment.mcp_servers]]
name = "m"
transport = "http"
url = "http://m:1/mcp"
[verifier.environment]
allow_internet = true
[[steps]]
name = "one"
[steps.verifier.environment]
allow_internet = false`,
      "task.toml",
    );
    expect(config).toMatchObject({
      schema_version: "1.0",
      environment: {
        memory_mb: 2048,
        storage_mb: 512,
        network_mode: "no-network",
        os: "linux",
        mcp_servers: [{ transport: "streamable-http" }],
      },
      verifier: { environment: { network_mode: "public" } },
      steps: [{ verifier: { environment: { network_mode: "no-network" } } }],
    });
  });

  test("lets network_mode win over allow_internet", () => {
    const toml =
      '[environment]\nallow_internet = false\nnetwork_mode = "allowlist"\nallowed_hosts = ["A.org."]';
    expect(parseTaskConfig(toml, "t").environment).toMatchObject({
      network_mode: "allowlist",
      allowed_hosts: ["a.org"],
    });
  });

  test("accepts unknown keys", () => {
    expect(problemOf('colour = "red"\n[agent]\nmood = "good"')).toBe("none");
  });

  test("reads artifacts as texts and as tables", () => {
    const toml = 'artifacts = ["/app/out", { source = "/app/log", exclude = ["*.tmp"] }]';
    expect(parseTaskConfig(toml, "t").artifacts).toStrictEqual([
      "/app/out",
      { source: "/app/log", destination: null, exclude: ["*.tmp"], service: null },
    ]);
  });

  test.each([
    ["[agent\n", /^task.toml, line 1, column \d+: not valid TOML/],
    ['[agent]\ntimeout_sec = "soon"', /`agent.timeout_sec`: .*expected number/],
    ["[environment]\nmemory_mb = 1.5", /`environment.memory_mb`: .*int/],
    ['[environment]\nmemory = "2 GB of it"', /`environment.memory`: "2 GB of it" is not a size such as "2G"/],
    ['[environment]\nmemory = "2G"\nmemory_mb = 1', /contradicts memory_mb = 1/],
    ["[environment.env]\nA = 1", /`environment.env.A`: .*expected string/],
    [
      '[environment]\nallowed_hosts = ["a.org"]',
      /`environment.allowed_hosts`: only goes with network_mode = "allowlist"/,
    ],
    ["[agent]\nallowed_hosts = []", /`agent.allowed_hosts`: only goes with/],
    [
      '[environment]\nnetwork_mode = "allowlist"\nallowed_hosts = ["https://a.org"]',
      /`environment.allowed_hosts.0`: `https:\/\/a.org` is not a host name/,
    ],
    [
      '[[environment.mcp_servers]]\nname = "m"',
      /`environment.mcp_servers.0.url`: needed for transport "sse"/,
    ],
    [
      '[[environment.mcp_servers]]\nname = "m"\ntransport = "stdio"\nurl = "http://x"',
      /`environment.mcp_servers.0.command`: needed for transport "stdio"/,
    ],
    ['[task]\nname = "hello"', /`task.name`: a name of the form org\/name/],
    ['[[steps]]\nname = "one"\n[[steps]]\nname = "ONE"', /`steps.1.name`: "ONE" is the same folder as "one"/],
    ['[[steps]]\nname = "stra\u00dfe"\n[[steps]]\nname = "STRASSE"', /`steps.1.name`/],
    ['[[steps]]\nname = "a/b"', /`steps.0.name`: a folder name that every system allows/],
    ['[[steps]]\nname = "nul.txt"', /`steps.0.name`/],
    [
      '[verifier]\nenvironment_mode = "shared"\n[verifier.environment]\ncpus = 1',
      /`verifier.environment_mode`/,
    ],
    ['artifacts = [{ source = "../x" }]', /`artifacts.0.source`: a path without `..`/],
    ['artifacts = [{ source = "x", destination = "/etc" }]', /`artifacts.0.destination`: a relative path/],
    ['[environment.tpu]\ntype = "v6e"\ntopology = "big"', /`environment.tpu.topology`: dimensions such as/],
  ])("refuses %j and says where and what is wanted", (toml, problem) => {
    expect(problemOf(toml)).toMatch(problem);
  });
});

describe("unknownTaskKeys", () => {
  test("names keys that nobody knows, and what was probably meant", () => {
    const toml = `version = "1.0"
colour = "red"
[enviroment]
cpus = 1
[environment]
memory = "1G"
allow_internet = true
[environment.env]
ANY = "thing"
[metadata]
any = "thing"
[[steps]]
name = "one"
verifier = { timout_sec = 1 }`;
    expect(unknownTaskKeys(toml, "t")).toEqual([
      "unknown key `colour` (it means nothing there)",
      "unknown key `enviroment` (did you mean `environment`?)",
      "unknown key `steps.0.verifier.timout_sec` (did you mean `timeout_sec`?)",
    ]);
  });

  test("has nothing to say about Harbor's own keys", () => {
    expect(unknownTaskKeys(golden("task_config_roundtrip.toml"), "t")).toEqual([]);
  });
});

describe("formatTaskConfig", () => {
  test.each(["task_config_roundtrip.toml", "task_hello/task.toml"])(
    "writes %s back with the same meaning",
    (name) => {
      const config = parseTaskConfig(golden(name), name);
      expect(parseTaskConfig(formatTaskConfig(config), "again")).toStrictEqual(config);
      expect(parse(formatTaskConfig(config))).toStrictEqual(parse(golden("task_config_roundtrip.toml")));
    },
  );

  test("writes steps, artifacts and free metadata", () => {
    const toml = `multi_step_reward_strategy = "final"
artifacts = ["/a", { source = "/b" }]
[task]
name = "org/x"
authors = [{ name = "Ada" }]
[metadata]
made = 2026-01-02T03:04:05Z
nested = { list = [1, 2] }
[[steps]]
name = "one"
min_reward = { reward = 0.5 }
[[steps]]
name = "two"
[[steps.verifier.collect]]
command = "dump"`;
    const config = parseTaskConfig(toml, "t");
    expect(parseTaskConfig(formatTaskConfig(config), "again")).toEqual(config);
  });
});

describe("allowedHost", () => {
  test.each([
    ["Example.ORG.", "example.org"],
    ["*.example.org", "*.example.org"],
    [" localhost ", "localhost"],
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["::/0", "::/0"],
  ])("takes %s as %s", (entry, host) => {
    expect(allowedHost(entry)).toEqual({ host });
  });

  test.each([
    "",
    ".",
    "https://a.org",
    "a.org:443",
    "a.org/path",
    "[::1]",
    "*",
    "a.*.org",
    "*.*.org",
    "*.192.0.2.1",
    "-a.org",
    "a_b.org",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "2001:db8::1/32",
    "fe80::1%eth0",
    "1.2.3.4/255.0.0.0/8",
    `${"a".repeat(64)}.org`,
  ])("refuses %j", (entry) => {
    expect(allowedHost(entry)).toHaveProperty("problem");
  });
});

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  default?: unknown;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
}

describe("TaskConfig", () => {
  test.skipIf(!existsSync(schemaFile))(
    "has the keys and defaults of Harbor's own schema (needs ../shared)",
    () => {
      const theirs: JsonSchema = JSON.parse(readFileSync(schemaFile, "utf8"));
      const ours = z.toJSONSchema(TaskConfig, { io: "input" }) as JsonSchema;
      const differences = compare(theirs, ours, theirs.$defs ?? {}, "task.toml");
      const replaced = ["environment", "steps.verifier.environment", "verifier.environment"];
      expect(differences).toEqual(replaced.map((path) => `task.toml.${path}.allow_internet`));
    },
  );
});

/** Paths at which two schemas differ in keys, or in a default that is a plain value. */
function compare(
  theirs: JsonSchema,
  ours: JsonSchema,
  defs: Record<string, JsonSchema>,
  path: string,
): string[] {
  const expected = objectIn(theirs, defs);
  const found = objectIn(ours, {});
  if (expected?.properties === undefined) return [];
  const keys = new Set([...Object.keys(expected.properties), ...Object.keys(found?.properties ?? {})]);
  return [...keys]
    .flatMap((key) => {
      const [a, b] = [expected.properties?.[key], found?.properties?.[key]];
      if (a === undefined || b === undefined) return [`${path}.${key}`];
      const isPlain = a.default !== undefined && (typeof a.default !== "object" || a.default === null);
      // A default behind a transform is not in the JSON Schema; the golden files hold those.
      const differs =
        isPlain && b.default !== undefined && a.default !== b.default ? [`${path}.${key} (default)`] : [];
      return [...differs, ...compare(a, b, defs, `${path}.${key}`)];
    })
    .toSorted();
}

/** The object that a schema describes, behind references, lists and alternatives. */
function objectIn(schema: JsonSchema, defs: Record<string, JsonSchema>): JsonSchema | undefined {
  if (schema.$ref !== undefined) return objectIn(defs[schema.$ref.replace("#/$defs/", "")] ?? {}, defs);
  if (schema.properties !== undefined) return schema;
  const inner = [...(schema.anyOf ?? []), ...(schema.items === undefined ? [] : [schema.items])];
  return inner.map((option) => objectIn(option, defs)).find((found) => found !== undefined);
}
