import { cp, mkdtempDisposable, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createOutput } from "../output.ts";
import { taskCommand } from "./task.ts";

const hello = join(import.meta.dirname, "../../../../test/fixtures/harbor/task_hello");
const helloHash = "739ed9e3c2e318476bc97fc06f4ef38e61614a64faed63b5c86cbb8df675fdbe";

async function run(...args: string[]) {
  const written = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const context = {
    out: createOutput({ stdout: stream("stdout"), stderr: stream("stderr") }),
    exitCode: 0,
  };
  context.out.json = args.includes("--json");
  await taskCommand(context).exitOverride().parseAsync(args, { from: "user" });
  return { ...written, exitCode: context.exitCode };
}

async function workFolder() {
  const dir = await mkdtempDisposable(join(tmpdir(), "task-command-"));
  await cp(hello, join(dir.path, "hello"), { recursive: true });
  return dir;
}

describe("task check", () => {
  test("prints name and hash of each valid task", async () => {
    expect(await run("check", hello)).toEqual({
      stdout: `ok       task_hello  ${helloHash}\n1 valid, 0 invalid\n`,
      stderr: "",
      exitCode: 0,
    });
  });

  test("prints every problem of an invalid task, goes on, and ends with 1", async () => {
    await using dir = await workFolder();
    await cp(hello, join(dir.path, "broken"), { recursive: true });
    await rm(join(dir.path, "broken/instruction.md"));
    await writeFile(join(dir.path, "broken/tests/test.sh"), "#!/bin/sh\r\n");
    const { stdout, exitCode } = await run("check", dir.path);
    expect(exitCode).toBe(1);
    expect(stdout.split("\n")).toEqual([
      `invalid  ${dir.path}/broken`,
      "         instruction.md: not there; write what the agent is asked",
      expect.stringMatching(/^ {9}tests\/test.sh: has Windows line ends \(CRLF\)/),
      `ok       hello  ${helloHash}`,
      "1 valid, 1 invalid",
      "",
    ]);
  });

  test("prints one JSON line a task for machines", async () => {
    const { stdout } = await run("check", hello, "--json");
    expect(JSON.parse(stdout)).toEqual({
      path: hello,
      status: "ok",
      kind: "harbor",
      name: "task_hello",
      hash: helloHash,
      problems: [],
      warnings: [],
    });
  });

  test("warns of keys that nobody knows", async () => {
    await using dir = await workFolder();
    await writeFile(join(dir.path, "hello/task.toml"), "[enviroment]\ncpus = 2\n");
    const { stdout, exitCode } = await run("check", dir.path);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "\n         warning: task.toml: unknown key `enviroment` (did you mean `environment`?)\n",
    );
  });

  test("checks scenarios too", async () => {
    await using dir = await mkdtempDisposable(join(tmpdir(), "task-command-"));
    const scenario = {
      schemaVersion: 1,
      name: "sum",
      kind: "qa",
      messages: [{ role: "user", content: "1+1?" }],
    };
    await writeFile(join(dir.path, "scenario.json"), JSON.stringify(scenario));
    expect((await run("check", dir.path)).stdout).toMatch(/^ok {7}sum {2}[0-9a-f]{64}\n/);
    await writeFile(join(dir.path, "scenario.json"), JSON.stringify({ ...scenario, kind: 1 }));
    expect((await run("check", dir.path)).stdout).toMatch(/^invalid .*\n {9}.*scenario.json: `kind`/);
  });

  test("says when there is no task at all", async () => {
    await using dir = await mkdtempDisposable(join(tmpdir(), "task-command-"));
    await expect(run("check", dir.path)).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("task hash", () => {
  test("prints Harbor's content hash", async () => {
    expect((await run("hash", hello)).stdout).toBe(`${helloHash}\n`);
  });
});

describe("task pack and task unpack", () => {
  test("give back the same task, from the same bytes each time", async () => {
    await using dir = await workFolder();
    const [one, two] = [join(dir.path, "one.tar.zst"), join(dir.path, "two.tar.zst")];
    await run("pack", hello, "--output", one);
    await run("pack", join(dir.path, "hello"), "--output", two);
    expect(await readFile(one)).toEqual(await readFile(two));
    await run("unpack", one, join(dir.path, "again"));
    expect((await run("hash", join(dir.path, "again"))).stdout).toBe(`${helloHash}\n`);
  });

  test("never write over a folder that holds something", async () => {
    await using dir = await workFolder();
    const archive = join(dir.path, "a.tar.zst");
    await run("pack", hello, "-o", archive);
    await expect(run("unpack", archive, join(dir.path, "hello"))).rejects.toMatchObject({ code: "conflict" });
  });

  test("name the archive that cannot be read or written", async () => {
    await expect(run("unpack", "/nowhere/a.tar", "/tmp/x")).rejects.toThrow(
      /\/nowhere\/a.tar: cannot be read/,
    );
    await expect(run("pack", hello, "-o", "/nowhere/a.tar")).rejects.toThrow(
      /\/nowhere\/a.tar: cannot be written/,
    );
  });
});
