import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findCgroups } from "@tracemill/agents/sandbox/namespace/cgroup.ts";
import { unusedFolders } from "@tracemill/agents/sandbox/namespace/layer-cache.ts";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { afterAll, describe, expect, test } from "vitest";
import { type OpenSandbox, specOf } from "./open-sandbox.ts";
import { sandboxIsolation } from "./sandbox-isolation.ts";
import { sandboxLimits } from "./sandbox-limits.ts";
import { sandboxVerdicts } from "./sandbox-verdict.ts";

const isLinux = process.platform === "linux";
const cgroups = isLinux && findCgroups() !== undefined;
const home = await mkdtemp(join(tmpdir(), "tracemill-isolation-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

for (const launcher of ["unshare", "bwrap"] as const) {
  const missing = launcher === "bwrap" && !existsSync("/usr/bin/bwrap");
  const why = missing ? " (skipped: bubblewrap is not installed)" : "";
  describe.skipIf(!isLinux || missing)(`namespace/${launcher}: isolation${why}`, () => {
    const provider = namespaceSandboxes({
      dir: join(home, launcher),
      cacheDir: join(home, "cache"),
      launcher,
    });
    const open: OpenSandbox = async (spec = {}) => {
      const sandbox = await provider.create(specOf(spec));
      return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.close() });
    };
    sandboxIsolation(open);
    sandboxLimits(open, cgroups);
    sandboxVerdicts(open);

    test("a closed sandbox leaves nothing on disk", async () => {
      const sandbox = await open();
      await sandbox.exec(["/bin/sh", "-c", "mkdir /app/d && chmod 000 /app/d"]);
      await sandbox.close();
      expect(readdirSync(join(home, launcher))).toEqual([]);
    });

    test("the doctor finds that sandboxes work here", async () => {
      const checks = await provider.doctor();
      expect(checks.at(-1)).toMatchObject({ name: "a sandbox", status: "ok" });
      for (const check of checks) if (check.status !== "ok") expect(check.remedy).not.toBe("");
    });
  });
}

interface Held {
  stdout: string;
  changes: string[];
  files: string;
  bomb: string;
  /** What a program inside was told at a door. */
  visit: string;
  isolation: string[];
}

const holder = fileURLToPath(new URL("../fakes/sandbox-holder.ts", import.meta.url));

/** Starts a process that holds a sandbox, and waits for what it says. */
async function hold(
  prefix: readonly string[],
  dir: string,
  launcher: string,
  extra: readonly (number | "ignore")[] = [],
): Promise<{ child: ChildProcess; held: Held }> {
  const [command = "", ...args] = [...prefix, process.execPath, holder, dir, launcher];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit", ...extra] });
  if (child.stdout === null) throw new Error("no output");
  for await (const line of createInterface(child.stdout)) return { child, held: JSON.parse(line) as Held };
  throw new Error("the holder ended without an answer");
}

function processesOf(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false;
    }
  });
}

const isRoot = process.geteuid?.() === 0;

describe.skipIf(!isLinux)("namespace sandboxes of another process", () => {
  test("end with their process, however it ends, and get none of its open files", async () => {
    const dir = join(home, "killed");
    const secret = openSync("/etc/hostname", "r");
    const { child, held } = await hold([], dir, "unshare", ["ignore", "ignore", "ignore", secret]);
    closeSync(secret);
    expect(held.files).not.toContain("/etc/hostname");
    expect(processesOf("86421")).not.toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    for (let wait = 0; wait < 100 && processesOf("86421").length > 0; wait += 1) await sleep(20);
    expect(processesOf("86421")).toEqual([]);
    expect(readdirSync(join(dir, "running"))).toHaveLength(1);
    const next = namespaceSandboxes({ dir: join(dir, "running"), cacheDir: join(dir, "cache") });
    await (await next.create(specOf({}))).close();
    expect(readdirSync(join(dir, "running"))).toEqual([]);
  });

  test.skipIf(!isRoot).each(["unshare", "bwrap"])(
    "work for a user without any power (%s)",
    async (launcher) => {
      if (launcher === "bwrap" && !existsSync("/usr/bin/bwrap")) return;
      const dir = await mkdtemp(join(tmpdir(), "tracemill-nobody-"));
      chownSync(dir, 65534, 65534);
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const { child, held } = await hold(nobody, dir, launcher);
      child.stdin?.end();
      await once(child, "exit");
      expect(held.stdout).toBe("built\n0\n");
      expect(held.changes).toContain("file usr/local/built/x");
      expect(held.bomb).toMatch(/fork|retry|Resource/);
      expect(held.visit).toBe("open");
      expect(held.isolation).toContain("rlimits");
      expect(readdirSync(join(dir, "running"))).toEqual([]);
      rmSync(dir, { recursive: true, force: true });
    },
  );
});

describe.skipIf(!isLinux)("namespace sandboxes", () => {
  test("what a dead process has left behind is removed by the next one", async () => {
    const dir = join(home, "abandoned");
    mkdirSync(join(dir, "0123", "upper"), { recursive: true });
    writeFileSync(join(dir, "0123", "owner"), "999999999 1");
    const sandbox = await namespaceSandboxes({ dir, cacheDir: join(home, "cache") }).create(specOf({}));
    expect(existsSync(join(dir, "0123"))).toBe(false);
    await sandbox.close();
  });

  test("programs that a sandbox has laid in are not cleaned away under it, whenever they were installed", async () => {
    const programs = join(home, "programs");
    for (const name of ["used", "unused"]) {
      mkdirSync(join(programs, name), { recursive: true });
      writeFileSync(join(programs, name, "file"), name);
      utimesSync(join(programs, name), 0, 0);
    }
    const layer = { id: "used", dir: join(programs, "used"), path: "/opt/tracemill/used" };
    const provider = namespaceSandboxes({ dir: join(home, "dir"), cacheDir: join(home, "cache") });
    const names = () => unusedFolders(programs, Date.now()).map(({ path }) => basename(path));
    const sandbox = await provider.create(specOf({ layers: [layer] }));
    expect(names()).toEqual(["unused"]);
    await sandbox.close();
    expect(names().toSorted()).toEqual(["unused", "used"]);
  });

  test("a directory that overlay cannot name is refused with what to do", async () => {
    const provider = namespaceSandboxes({ dir: join(home, "a:b"), cacheDir: join(home, "cache") });
    await expect(provider.create(specOf({}))).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining("choose another home"),
    });
  });

  test("a directory with spaces is fine", async () => {
    const provider = namespaceSandboxes({ dir: join(home, "a b"), cacheDir: join(home, "c d") });
    const sandbox = await provider.create(specOf({}));
    expect((await sandbox.exec(["pwd"])).stdout).toBe("/app\n");
    await sandbox.close();
  });

  test("a prebuilt image is refused by name", async () => {
    const provider = namespaceSandboxes({ dir: join(home, "dir"), cacheDir: join(home, "cache") });
    await expect(provider.create(specOf({ environment: { image: "org/img:1" } }))).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("org/img:1"),
    });
  });
});
