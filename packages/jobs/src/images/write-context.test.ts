import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { writeContext } from "./write-context.ts";

const file = (path: string, mode = 0o644) => ({ path, content: Buffer.from(path), mode });

test("a build context has the task's files with their modes", async () => {
  await using dir = await tempDir();
  await writeContext(dir.path, [file("Dockerfile"), file("bin/run.sh", 0o755)]);
  expect(await readFile(join(dir.path, "bin/run.sh"), "utf8")).toBe("bin/run.sh");
  expect((await stat(join(dir.path, "bin/run.sh"))).mode & 0o777).toBe(0o755);
});

test.each([["../outside"], ["a/../../outside"], ["/etc/passwd"], ["."], [""]])(
  "a path that leaves the folder is refused: %j",
  async (path) => {
    await using dir = await tempDir();
    await expect(writeContext(join(dir.path, "context"), [file(path)])).rejects.toMatchObject({
      code: "invalid-archive",
    });
  },
);

test.each([[["a", "a"]], [["a", "a/b"]], [["a/b", "a"]]])(
  "files that stand in each other's way are refused: %j",
  async (paths) => {
    await using dir = await tempDir();
    await expect(
      writeContext(
        dir.path,
        paths.map((path) => file(path)),
      ),
    ).rejects.toMatchObject({
      code: "invalid-archive",
    });
  },
);
