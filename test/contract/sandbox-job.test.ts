import { existsSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { type BoxShell, ecsTasks, imageBusybox, workerBusybox } from "../fakes/ecs-task.ts";
import { type OpenSandbox, specOf } from "./open-sandbox.ts";
import { sandboxContract } from "./sandbox.ts";
import { sandboxBoxes } from "./sandbox-boxes.ts";
import { sandboxChanges } from "./sandbox-changes.ts";
import { sandboxCommands } from "./sandbox-commands.ts";
import { sandboxLimits } from "./sandbox-limits.ts";
import { sandboxVerdicts } from "./sandbox-verdict.ts";

const home = await mkdtemp(join(tmpdir(), "tracemill-job-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const notLinux = process.platform === "linux" ? undefined : "the boxes of this test are namespaces of Linux";

const lacks: Record<BoxShell, string | undefined> = {
  dash: existsSync("/bin/dash") ? undefined : "dash is not installed",
  bash: existsSync("/bin/bash") ? undefined : "bash is not installed",
  busybox: imageBusybox === undefined ? "a busybox as images have it is not installed" : undefined,
};

/** Opens the first sandbox, for which the image is made: it takes most of this machine's system away. */
const buildMs = 300_000;

for (const shell of ["dash", "bash", "busybox"] as const) {
  const skip = notLinux ?? lacks[shell];
  const { provider } = ecsTasks({ home, shell });
  if (skip === undefined) beforeAll(async () => (await provider.create(specOf({}))).close(), buildMs);
  sandboxContract(`job/${shell}`, {
    ...{ provider: () => provider, commands: true, builds: false, networks: ["host"], skip },
  });
}

const skip = notLinux ?? (workerBusybox === undefined ? "busybox-static is not installed" : undefined);
const why = skip === undefined ? "" : ` (skipped: ${skip})`;

describe.skipIf(skip !== undefined)(`job, with the worker's busybox${why}`, () => {
  const { provider, start } = ecsTasks({ home, ownTools: true });
  if (skip === undefined) beforeAll(async () => (await provider.create(specOf({}))).close(), buildMs);
  const open: OpenSandbox = async (spec = {}) => {
    const sandbox = await provider.create(specOf(spec));
    return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.close() });
  };
  sandboxCommands(open);
  sandboxChanges(open);
  sandboxBoxes(open, start);
  sandboxLimits(open, false);
  sandboxVerdicts(open);
});
