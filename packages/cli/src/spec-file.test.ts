import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { oneIsEnough } from "./commands/doctor.ts";
import { choiceHere, choiceOnAws } from "./sandbox-choice.ts";
import { readSpecFile } from "./spec-file.ts";

const config = (sandbox?: string) =>
  ({ config: { sandbox, dockerHost: "unix:///none/docker.sock" } }) as Parameters<typeof choiceHere>[1];

async function sandboxOf(line: string, choice: Parameters<typeof readSpecFile>[1]): Promise<string> {
  await using dir = await tempDir("tracemill-spec-");
  const path = join(dir.path, "s.yaml");
  writeFileSync(path, `name: n\ntasks: [.]\nagents: [{ name: oracle }]\n${line}\n`);
  return (await readSpecFile(path, choice)).sandbox;
}

test("the command line goes before the spec, that before the variable, and that before what is there", async () => {
  const both = "sandbox: namespace";
  expect(await sandboxOf(both, choiceHere("docker", config("job")))).toBe("docker");
  expect(await sandboxOf(both, choiceHere(undefined, config("docker")))).toBe("namespace");
  expect(await sandboxOf("", choiceHere(undefined, config("docker")))).toBe("docker");
  expect(await sandboxOf("", choiceHere(undefined, config()))).toBe("namespace");
  expect(await sandboxOf("", choiceOnAws())).toBe("namespace");
});

test("a variable that names no sandbox is said so", async () => {
  await expect(sandboxOf("", choiceHere(undefined, config("dokcer")))).rejects.toMatchObject({
    code: "invalid-input",
    message: expect.stringContaining("TRACEMILL_SANDBOX=dokcer"),
  });
});

test("a machine with one kind of sandbox lacks nothing", () => {
  const ok = { name: "a", status: "ok", detail: "" } as const;
  const missing = { name: "b", status: "missing", detail: "" } as const;
  expect(oneIsEnough([ok], [missing]).map(({ status }) => status)).toEqual(["ok", "warning"]);
  expect(oneIsEnough([missing], [ok]).map(({ status }) => status)).toEqual(["warning", "ok"]);
  expect(oneIsEnough([missing], [missing]).map(({ status }) => status)).toEqual(["missing", "missing"]);
});
