import { chmod, mkdir, mkdtempDisposable, readdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { contentHash } from "@tracemill/core/harbor/task-files.ts";
import { describe, expect, test } from "vitest";
import { findTaskFolders, readTaskFolder, taskFoldersUnder, writeTaskFolder } from "./task-folder.ts";

const hello = join(import.meta.dirname, "../../../test/fixtures/harbor/task_hello");

async function folder(files: Record<string, string>) {
  const dir = await mkdtempDisposable(join(tmpdir(), "task-folder-"));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir.path, name)), { recursive: true });
    await writeFile(join(dir.path, name), content);
  }
  return dir;
}

describe("readTaskFolder", () => {
  test("reads a task that Harbor hashes the same", async () => {
    const files = await readTaskFolder(hello);
    expect(contentHash(files)).toBe("739ed9e3c2e318476bc97fc06f4ef38e61614a64faed63b5c86cbb8df675fdbe");
    expect(readHarborTask(files, hello)).toMatchObject({
      name: "task_hello",
      instruction: "Create hello.txt\n",
    });
  });

  test("keeps which scripts may be executed", async () => {
    await using dir = await folder({ "tests/test.sh": "#!/bin/sh\n", "tests/data.txt": "1" });
    await chmod(join(dir.path, "tests/test.sh"), 0o755);
    const files = await readTaskFolder(dir.path);
    expect(files.map(({ path, mode }) => [path, mode & 0o111])).toEqual([
      ["tests/data.txt", 0],
      ["tests/test.sh", 0o111],
    ]);
  });

  test("does not look at what lies beside the task's own files", async () => {
    await using dir = await folder({
      "task.toml": "",
      ".git/config": "x",
      "notes/a.txt": "x",
      "big.bin": "x",
    });
    await symlink("/etc/passwd", join(dir.path, "passwords"));
    expect((await readTaskFolder(dir.path)).map(({ path }) => path)).toEqual(["task.toml"]);
  });

  test("reads a link inside the task as the file that it leads to", async () => {
    await using dir = await folder({ "tests/data.txt": "42" });
    await symlink("data.txt", join(dir.path, "tests/same.txt"));
    const [, same] = await readTaskFolder(dir.path);
    expect(same).toMatchObject({ path: "tests/same.txt", content: Buffer.from("42") });
  });

  test.each([
    ["/etc/hostname", "leads out of the task"],
    ["../../nothing-there", "a link to nothing"],
    [".", "a link to a folder"],
  ])("refuses a link to %s and names it", async (target, problem) => {
    await using dir = await folder({ "tests/data.txt": "42" });
    await symlink(target, join(dir.path, "tests/link"));
    await expect(readTaskFolder(dir.path)).rejects.toMatchObject({
      code: "invalid-task",
      message: expect.stringMatching(new RegExp(`tests/link: .*${problem}`)),
    });
  });

  test("refuses a socket and names it", async () => {
    await using dir = await folder({ "tests/data.txt": "42" });
    const server = createServer().listen(join(dir.path, "tests/s"));
    await new Promise((resolve) => server.once("listening", resolve));
    await expect(readTaskFolder(dir.path)).rejects.toThrow(/tests\/s: neither a file nor a folder/);
    server.close();
  });

  test("says that a folder is not there", async () => {
    await expect(readTaskFolder("/nowhere")).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("findTaskFolders", () => {
  test("finds tasks at any depth, in order, and not inside of tasks", async () => {
    await using dir = await folder({
      "b/task.toml": "",
      "b/environment/inner/task.toml": "",
      "a/deep/task.toml": "",
      "a/question/scenario.json": "",
      "node_modules/x/task.toml": "",
      "c/readme.md": "",
    });
    const found = await Array.fromAsync(findTaskFolders(dir.path));
    expect(found.map((path) => path.slice(dir.path.length))).toEqual(["/a/deep", "/a/question", "/b"]);
  });

  test("finds the folder itself when it is a task", async () => {
    expect(await Array.fromAsync(findTaskFolders(hello))).toEqual([hello]);
  });
});

describe("taskFoldersUnder", () => {
  test("says so when there is no task", async () => {
    await using dir = await folder({ "a.txt": "" });
    await expect(Array.fromAsync(taskFoldersUnder(dir.path))).rejects.toThrow(/no folder with a task.toml/);
  });
});

describe("writeTaskFolder", () => {
  const files = [{ path: "tests/test.sh", content: Buffer.from("#!/bin/sh\n"), mode: 0o755 }];

  test("writes what readTaskFolder reads, into a new or an empty folder", async () => {
    await using dir = await folder({});
    await mkdir(join(dir.path, "empty"));
    for (const place of [join(dir.path, "new/task"), join(dir.path, "empty")]) {
      await writeTaskFolder(place, files);
      expect(await readTaskFolder(place)).toEqual(files);
    }
  });

  test("leaves a folder alone that holds something, and nothing else behind", async () => {
    await using dir = await folder({ "there/mine.txt": "1" });
    await expect(writeTaskFolder(join(dir.path, "there"), files)).rejects.toMatchObject({ code: "conflict" });
    expect(await readdir(dir.path)).toEqual(["there"]);
    expect(await readdir(join(dir.path, "there"))).toEqual(["mine.txt"]);
  });
});
