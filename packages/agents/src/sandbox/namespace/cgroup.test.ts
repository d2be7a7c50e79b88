import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createCgroup, findCgroups, removeAbandonedGroups } from "./cgroup.ts";

/** Folders that look like the kernel's; only the kernel fills and guards the real ones. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tracemill-cgroup-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const mount = (path: string, type: string, options: string, at = "/") =>
  `30 20 0:1 ${at} ${path} rw - ${type} ${type} rw,${options}\n`;

const always = (): boolean => true;

function folder(path: string, files: Record<string, string> = {}): string {
  mkdirSync(join(root, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, path, name), text);
  return join(root, path);
}

/** The one group in a folder. */
function groupIn(path: string): string {
  return join(path, readdirSync(path).find((name) => name.startsWith("tracemill-")) ?? "none");
}

/** Removing a group works for the kernel's folders only; here its files are in the way. */
function limitsIn(path: string): Record<string, string> {
  return Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name), "utf8")]));
}

test("version 2: groups are made in the nearest group that hands out memory and processes", () => {
  const delegated = folder("user.slice/app", { "cgroup.subtree_control": "cpu memory pids" });
  folder("user.slice/app/own.scope", { "cgroup.subtree_control": "" });
  const home = findCgroups(
    { mountinfo: mount(root, "cgroup2", ""), own: "0::/user.slice/app/own.scope\n" },
    always,
  );
  expect(home).toEqual({
    version: 2,
    folders: [{ controllers: ["memory", "pids", "cpu"], path: delegated }],
  });
});

test("version 2: limits are written as the kernel wants them", () => {
  const home = {
    version: 2 as const,
    folders: [{ controllers: ["memory", "pids", "cpu"] as const, path: root }],
  };
  const { join: files } = createCgroup(home, "id", { memoryBytes: 1024, pids: 5, cpus: 1.5 });
  expect(files).toEqual([join(groupIn(root), "cgroup.procs")]);
  expect(limitsIn(groupIn(root))).toMatchObject({
    "memory.max": "1024",
    "pids.max": "5",
    "cpu.max": "150000 100000",
  });
});

test("version 1: groups are made below our own of each controller, together where they are mounted together", () => {
  const memory = folder("memory/own");
  const cpu = folder("cpu,pids/mine");
  const home = findCgroups(
    {
      mountinfo:
        mount(join(root, "memory"), "cgroup", "memory") + mount(join(root, "cpu,pids"), "cgroup", "cpu,pids"),
      own: "4:memory:/own\n3:cpu,pids:/mine\n1:name=systemd:/x\n0::/\n",
    },
    always,
  );
  expect(home).toEqual({
    version: 1,
    folders: [
      { controllers: ["memory"], path: memory },
      { controllers: ["pids", "cpu"], path: cpu },
    ],
  });
  if (home === undefined) return;
  createCgroup(home, "id", { memoryBytes: 2048, pids: 7, cpus: 0.25 });
  expect(limitsIn(groupIn(memory))).toEqual({ "memory.limit_in_bytes": "2048" });
  expect(limitsIn(groupIn(cpu))).toEqual({
    "pids.max": "7",
    "cpu.cfs_period_us": "100000",
    "cpu.cfs_quota_us": "25000",
  });
});

test("no limits that are not asked for", () => {
  const home = { version: 2 as const, folders: [{ controllers: ["memory", "pids"] as const, path: root }] };
  createCgroup(home, "id", { fileBytes: 1 });
  expect(limitsIn(groupIn(root))).toEqual({});
});

test("where no group may be made, there are none", () => {
  expect(findCgroups({ mountinfo: "", own: "0::/\n" })).toBeUndefined();
  const missing = join(root, "missing");
  expect(findCgroups({ mountinfo: mount(missing, "cgroup2", ""), own: "0::/\n" })).toBeUndefined();
  expect(existsSync(missing)).toBe(false);
});

test("groups of dead processes are removed, those of living ones stay", async () => {
  const home = { version: 2 as const, folders: [{ controllers: ["memory", "pids"] as const, path: root }] };
  createCgroup(home, "mine", {});
  folder("tracemill-999999999.5-theirs");
  folder("another");
  await removeAbandonedGroups(home);
  expect(readdirSync(root)).toHaveLength(2);
  expect(existsSync(groupIn(root))).toBe(true);
});
