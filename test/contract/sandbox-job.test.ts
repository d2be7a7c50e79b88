import { existsSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { type BoxShell, ecsTasks } from "../fakes/ecs-task.ts";
import { sandboxContract } from "./sandbox.ts";

const home = await mkdtemp(join(tmpdir(), "tracemill-job-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const notLinux = process.platform === "linux" ? undefined : "the boxes of this test are namespaces of Linux";
const shells: [BoxShell, string | undefined][] = [
  ["dash", existsSync("/usr/bin/dash") ? undefined : "dash is not installed"],
  ["bash", existsSync("/usr/bin/bash") ? undefined : "bash is not installed"],
  ["busybox", existsSync("/usr/bin/busybox") ? undefined : "busybox is not installed"],
];

for (const [shell, missing] of shells) {
  sandboxContract(`job/${shell}`, {
    provider: () => ecsTasks({ home, shell }).provider,
    commands: true,
    builds: false,
    skip: notLinux ?? missing,
  });
}
