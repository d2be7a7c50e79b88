import { existsSync, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { afterAll } from "vitest";
import { inProcessSandboxes } from "../fakes/in-process-sandbox.ts";
import { sandboxContract } from "./sandbox.ts";

const home = await mkdtemp(join(tmpdir(), "tracemill-sandbox-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const notLinux = process.platform === "linux" ? undefined : "namespaces are a feature of Linux";
const noBwrap = existsSync("/usr/bin/bwrap") ? undefined : "bubblewrap is not installed";

const namespace = (launcher: "unshare" | "bwrap") => () =>
  namespaceSandboxes({ dir: join(home, launcher), cacheDir: join(home, "cache"), launcher });

sandboxContract("in-process", { provider: inProcessSandboxes, commands: false });
sandboxContract("namespace/unshare", { provider: namespace("unshare"), commands: true, skip: notLinux });
sandboxContract("namespace/bwrap", {
  provider: namespace("bwrap"),
  commands: true,
  skip: notLinux ?? noBwrap,
});
