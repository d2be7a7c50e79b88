import { describe, expect, test } from "vitest";
import { packTask, unpackTask } from "./archive.ts";
import { readHarborTask, withoutCanary } from "./task.ts";
import type { TaskFile } from "./task-files.ts";

const whole = {
  "task.toml": "",
  "instruction.md": "Make it work.\n",
  "environment/Dockerfile": "FROM debian\n",
  "tests/test.sh": "#!/bin/sh\necho 1 > /logs/verifier/reward.txt\n",
  "solution/solve.sh": "#!/bin/sh\ntrue\n",
};

function files(contents: Record<string, string | Uint8Array | undefined>): TaskFile[] {
  return Object.entries(contents).flatMap(([path, content]) =>
    content === undefined ? [] : [{ path, content: Buffer.from(content), mode: 0o644 }],
  );
}

function problems(contents: Record<string, string | Uint8Array | undefined>): readonly string[] {
  try {
    readHarborTask(files({ ...whole, ...contents }), "tasks/demo");
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid-task", message: expect.stringMatching(/^tasks\/demo: /) });
    return (error as { context: { problems: string[] } }).context.problems;
  }
  return [];
}

describe("readHarborTask", () => {
  test("gives the name, instruction, hashes and whether there is a solution", () => {
    const task = readHarborTask(files(whole), "tasks/demo");
    expect(task).toMatchObject({
      name: "demo",
      instruction: "Make it work.\n",
      multiStep: false,
      steps: [],
      hasSolution: true,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      environmentHash: expect.stringMatching(/^env_[0-9a-f]{24}$/),
    });
    expect(readHarborTask(files({ ...whole, "solution/solve.sh": undefined }), "x").hasSolution).toBe(false);
  });

  test("prefers the name in task.toml", () => {
    const toml = '[task]\nname = "org/other"';
    expect(readHarborTask(files({ ...whole, "task.toml": toml }), "tasks/demo").name).toBe("org/other");
  });

  test("keeps only packaged files, and reads them again as the same task", async () => {
    const odd = {
      ...whole,
      ".gitignore": "*.log",
      "tests/x.pyc": "kept",
      "tests/x.log": "left out",
      "notes.txt": "x",
    };
    const task = readHarborTask(files(odd), "demo");
    expect(task.files.map(({ path }) => path)).toEqual([
      ".gitignore",
      "environment/Dockerfile",
      "instruction.md",
      "solution/solve.sh",
      "task.toml",
      "tests/test.sh",
      "tests/x.pyc",
    ]);
    const again = readHarborTask(await unpackTask(await packTask(task.files), "archive"), "demo");
    expect(again).toMatchObject({ hash: task.hash, environmentHash: task.environmentHash });
  });

  test("hides canary lines from the agent", () => {
    const text = "<!-- canary GUID 1 -->\n# Canary 2\n\n# Title\ncanary in the text\n";
    expect(withoutCanary(text)).toBe("# Title\ncanary in the text\n");
    expect(problems({ "instruction.md": "# canary\n" })).toEqual([
      "instruction.md: empty; write what the agent is asked",
    ]);
  });

  test.each([
    ["task.toml", undefined, /^task.toml: not there/],
    ["task.toml", "[agent]\ntimeout_sec = true", /^task.toml: `agent.timeout_sec`/],
    ["task.toml", new Uint8Array([0xff]), /^task.toml: not UTF-8 text/],
    ["instruction.md", undefined, /^instruction.md: not there; write what the agent is asked/],
    ["instruction.md", " \n", /^instruction.md: empty/],
    ["instruction.md", new Uint8Array([0xc3, 0x28]), /^instruction.md: not UTF-8 text; convert it/],
    ["tests/test.sh", undefined, /^tests\/test.sh: not there; write the script/],
    [
      "tests/test.sh",
      "#!/bin/sh\r\ntrue\r\n",
      /^tests\/test.sh: has Windows line ends .*sed -i 's\/\\r\$\/\/' tests\/test.sh/,
    ],
    ["tests/test.sh", "\uFEFF#!/bin/sh\n", /^tests\/test.sh: begins with a byte order mark.*sed -i/],
    ["solution/solve.sh", "true\r\n", /^solution\/solve.sh: has Windows line ends/],
    ["tests/check", "#!/usr/bin/env python3\r\n", /^tests\/check: has Windows line ends/],
  ])("says what is wrong with %s (case %#)", (path, content, problem) => {
    expect(problems({ [path]: content })).toEqual([expect.stringMatching(problem)]);
  });

  test("names all problems at once", () => {
    expect(
      problems({ "task.toml": undefined, "instruction.md": undefined, "solution/solve.sh": "\r\n" }),
    ).toHaveLength(3);
  });

  test("leaves Windows line ends alone in what the agent works on, and in data", () => {
    expect(problems({ "environment/legacy.sh": "#!/bin/sh\r\n", "tests/data.csv": "a\r\n" })).toEqual([]);
  });

  test("says where the task is when it lies one folder deeper", () => {
    const inner = Object.fromEntries(
      Object.entries(whole).map(([path, content]) => [`hello/${path}`, content]),
    );
    expect(() => readHarborTask(files(inner), "t.tar")).toThrow(
      /task.toml: not there, but in hello\/; give t.tar\/hello/,
    );
  });

  test("wants test.bat of a Windows task", () => {
    const toml = '[environment]\nos = "windows"';
    expect(problems({ "task.toml": toml })).toEqual([expect.stringMatching(/^tests\/test.bat: not there/)]);
    expect(
      problems({ "task.toml": toml, "tests/test.sh": undefined, "tests/test.bat": "@echo\r\n" }),
    ).toEqual([]);
  });

  test("takes a separate verifier's image in place of tests/test.sh", () => {
    const toml = '[verifier.environment]\ndocker_image = "v"';
    expect(problems({ "task.toml": toml, "tests/test.sh": undefined })).toEqual([]);
  });
});

describe("a multi-step task", () => {
  const steps = {
    "task.toml": '[[steps]]\nname = "one"\n[[steps]]\nname = "two"',
    "instruction.md": undefined,
    "steps/one/instruction.md": "First.",
    "steps/two/instruction.md": "Then.",
  };

  test("has an instruction for each step", () => {
    const task = readHarborTask(files({ ...whole, ...steps }), "demo");
    expect(task).toMatchObject({ multiStep: true, instruction: "" });
    expect(task.steps).toEqual([
      { name: "one", instruction: "First." },
      { name: "two", instruction: "Then." },
    ]);
  });

  test("needs each step's instruction and a test of its own or a shared one", () => {
    expect(
      problems({
        ...steps,
        "steps/two/instruction.md": undefined,
        "tests/test.sh": undefined,
        "steps/one/tests/test.sh": "",
      }),
    ).toEqual([
      "steps/two/instruction.md: not there; write what the agent is asked",
      "steps/two/tests/test.sh: not there, and no tests/test.sh to stand in for it",
    ]);
  });

  test("is checked for line ends in its steps too", () => {
    expect(
      problems({ ...steps, "steps/one/workdir/setup.sh": "a\r\n", "steps/one/workdir/any.sh": "a\r\n" }),
    ).toEqual([expect.stringMatching(/^steps\/one\/workdir\/setup.sh: has Windows line ends/)]);
  });
});

describe("environmentHash", () => {
  const hash = (contents: Record<string, string>) =>
    readHarborTask(files({ ...whole, ...contents }), "x").environmentHash;

  test("is the same for tasks that differ in instruction, tests and limits alone", () => {
    expect(
      hash({ "instruction.md": "Other.", "tests/more.py": "", "task.toml": "[agent]\ntimeout_sec = 5" }),
    ).toBe(hash({}));
  });

  test.each([
    { "environment/Dockerfile": "FROM alpine" },
    { "environment/data": "" },
    { "task.toml": '[environment]\ndocker_image = "x"' },
    { "task.toml": '[environment]\nworkdir = "/x"' },
    { "task.toml": '[environment.env]\nA = "1"' },
  ])("changes with %j", (change) => {
    expect(hash(change as Record<string, string>)).not.toBe(hash({}));
  });
});
