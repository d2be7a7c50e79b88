import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readDockerfile, repository } from "../../fakes/docker-context.ts";
import { tempDir } from "../../fakes/temp-dir.ts";

const run = promisify(execFile);

test("what the worker's Dockerfile copies and installs is enough to start it", async () => {
  await using dir = await tempDir("tracemill-image-");
  const { files, instructions } = await readDockerfile("packages/jobs/Dockerfile");
  for (const { source, target } of files) {
    await mkdir(dirname(join(dir.path, target)), { recursive: true });
    await cp(join(repository, source), join(dir.path, target));
  }
  const install = instructions.find(({ text }) => text.startsWith("npm ci "))?.text.split(" && ")[0] ?? "";
  const [program = "", ...args] = install.split(" ");
  await run(program, args, { cwd: dir.path });
  const main = join(dir.path, "packages/jobs/src/main.ts");
  const ended = await run(process.execPath, [main], { cwd: "/", env: { PATH: process.env.PATH } }).catch(
    (error: unknown) => error as { code: number; stdout: string },
  );
  expect(ended).toMatchObject({ code: 2, stdout: expect.stringContaining("usage: ") as unknown });
  // Nothing of ours but what runs in jobs.
  const { name } = JSON.parse(await readFile(join(dir.path, "packages/cli/package.json"), "utf8")) as {
    name: string;
  };
  expect(name).toBe("tracemill");
  await expect(readFile(join(dir.path, "node_modules/sst/package.json"))).rejects.toThrow("ENOENT");
  await rm(join(dir.path, "node_modules"), { recursive: true });
}, 300_000);
