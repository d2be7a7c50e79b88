import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readHarborTask } from "../harbor/task.ts";
import type { TaskFile } from "../harbor/task-files.ts";
import { Task } from "../production/schemas.ts";
import { taskName } from "./task-name.ts";
import { verifyTaskFiles } from "./verify-task.ts";

function filesOf(fields: Record<string, unknown>): TaskFile[] {
  const task = Task.parse({ id: "t", prompt: "Go.", verify: { command: "test -f done" }, ...fields });
  if (task.verify == null) throw new Error("no verify");
  return verifyTaskFiles(task, task.verify, "prod");
}

function text(files: readonly TaskFile[], path: string): string | undefined {
  const file = files.find((candidate) => candidate.path === path);
  return file && Buffer.from(file.content).toString("utf8");
}

describe("a task with a deciding command", () => {
  test("is a whole Harbor task that says where it came from", () => {
    const fields = { title: "Go", kind: "shell", group: "g", tags: ["a"], reference_solution: "touch done" };
    const files = filesOf({ ...fields, verify: { command: "test -f done", timeout_sec: 30 } });
    const task = readHarborTask(files, "t");
    expect(task.config.metadata).toEqual({
      source: "prod",
      task_id: "t",
      title: "Go",
      kind: "shell",
      group: "g",
      tags: ["a"],
    });
    expect(task.config.environment.network_mode).toBe("no-network");
    expect(task.config.verifier.timeout_sec).toBeGreaterThan(30);
    expect(task.instruction).toBe("Go.\n");
    expect(task.hasSolution).toBe(true);
    expect(text(files, "solution/solve.sh")).toBe("#!/bin/bash\ntouch done\n");
    expect(files.find(({ path }) => path === "tests/test.sh")?.mode).toBe(0o755);
  });

  test("reaches the network only where the row says so", () => {
    const task = readHarborTask(filesOf({ environment: { network: true } }), "t");
    expect(task.config.environment.network_mode).toBe("public");
  });

  test("has the row's files and variables in its working directory", () => {
    const environment = {
      files: { "in/a b.txt": "a" },
      env: { GREETING: 'say "$hi" \\o/' },
      workdir: "/srv/work/",
    };
    const files = filesOf({ environment });
    expect(text(files, "environment/Dockerfile")).toBe(
      'FROM python:3.12-bookworm\nWORKDIR /srv/work\nENV GREETING="say \\"\\$hi\\" \\\\o/"\nCOPY ["files/", "/srv/work/"]\n',
    );
    expect(text(files, "environment/files/in/a b.txt")).toBe("a");
  });

  test("keeps the row's own Dockerfile, with the files as its build context where it copies them", () => {
    const dockerfile = "FROM debian:bookworm\nWORKDIR /app\nCOPY seed.sql ./\nRUN test -s seed.sql\n";
    const copying = filesOf({ environment: { dockerfile, files: { "seed.sql": "x" } } });
    expect(text(copying, "environment/Dockerfile")).toBe(dockerfile);
    expect(text(copying, "environment/seed.sql")).toBe("x");
    const plain = filesOf({ environment: { dockerfile: "FROM x\nWORKDIR /w", files: { "seed.sql": "x" } } });
    expect(text(plain, "environment/Dockerfile")).toBe('FROM x\nWORKDIR /w\nCOPY ["files/", "./"]\n');
  });

  test("leaves out none of the row's files, whatever their names", () => {
    const environment = { files: { "notes~": "a", "__pycache__/x.pyc": "b" } };
    const { files } = readHarborTask(filesOf({ environment }), "t");
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["environment/files/notes~", "environment/files/__pycache__/x.pyc"]),
    );
  });

  test("asks what the user of its request asks when it has no prompt", () => {
    const files = filesOf({
      prompt: null,
      responses_create_params: { instructions: "Be brief.", input: "Do it." },
    });
    expect(text(files, "instruction.md")).toBe("Do it.\n");
  });

  test.each([
    ["no request at all", { prompt: " " }, "asks nothing"],
    ["a relative working directory", { environment: { workdir: "app" } }, "`environment.workdir`"],
    ["a variable with a line end", { environment: { env: { A: "1\n2" } } }, "`environment.env.A`"],
    ["a variable whose name is none", { environment: { env: { "A-B": "1" } } }, "`A-B`"],
    [
      "a file in the place of the test script",
      { verify: { command: "true", files: { "test.sh": "" } } },
      "`test.sh`",
    ],
    [
      "a file in the place of its Dockerfile",
      { environment: { dockerfile: "FROM x\nCOPY . .", files: { Dockerfile: "FROM y" } } },
      "`environment.files`",
    ],
  ])("is refused with the field's name for %s", (_, fields, expected) => {
    expect(() => filesOf(fields)).toThrow(expect.objectContaining({ code: "invalid-task" }));
    expect(() => filesOf(fields)).toThrow(expected);
  });
});

describe("a task's name", () => {
  test("is its id where that can be a folder", () => {
    expect(taskName("rename-photos.v2")).toBe("rename-photos.v2");
    expect(taskName("../etc")).toMatch(/^etc-[0-9a-f]{8}$/);
  });

  test("can be a folder for any id, and is never that of another one", () => {
    const id = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.constantFrom("a/b", "a b", "a-b", "..", "äß"),
    );
    fc.assert(
      fc.property(id, id, (one, other) => {
        expect(taskName(one)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/);
        expect(taskName(one) === taskName(other)).toBe(one === other);
      }),
    );
  });
});
