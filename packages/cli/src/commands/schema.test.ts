import { describe, expect, test } from "vitest";
import { createOutput } from "../output.ts";
import { schemaCommand } from "./schema.ts";

async function run(...args: string[]): Promise<string> {
  let stdout = "";
  const out = createOutput({
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: { write: () => true },
  });
  out.json = args.includes("--json");
  await schemaCommand({ out }).exitOverride().parseAsync(args, { from: "user" });
  return stdout;
}

const lines = (await run("--json")).trim().split("\n");
const names = lines.map((line): string => JSON.parse(line).name);

describe("schema", () => {
  test("lists what it knows", async () => {
    expect(names).toEqual(
      expect.arrayContaining(["run-spec", "task-config", "trajectory", "dataset-manifest"]),
    );
    expect(await run()).toContain("trajectory");
  });

  test.each(names)("prints a JSON Schema of %s", async (name) => {
    const schema = JSON.parse(await run(name));
    expect(schema).toMatchObject({ title: name, $schema: expect.stringContaining("json-schema.org") });
    const branches = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
    expect(branches.flatMap((branch) => Object.keys(branch.properties ?? {})).length).toBeGreaterThan(0);
  });

  test("describes what may be given: keys with a default may be left out", async () => {
    expect(JSON.parse(await run("run-spec")).required).toEqual(["name", "agents"]);
  });

  test("suggests the name that was meant", async () => {
    await expect(run("trajectry")).rejects.toThrow(
      "no schema is called `trajectry` (did you mean `trajectory`?)",
    );
    await expect(run("constructor")).rejects.toThrow(
      /no schema is called `constructor` \(known names: run-spec/,
    );
  });
});
