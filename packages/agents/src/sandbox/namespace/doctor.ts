import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { promisify } from "node:util";
import { messageOf } from "@tracemill/core/errors.ts";
import type { DoctorCheck, Sandbox, SandboxProvider, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { findCgroups } from "./cgroup.ts";
import { isInstalled, toolEnv } from "./tools.ts";

const run = promisify(execFile);

/** What this machine has for sandboxes of namespaces, and what to do where something is missing. */
export async function checkNamespaces(create: SandboxProvider["create"]): Promise<DoctorCheck[]> {
  if (process.platform !== "linux") {
    return [
      {
        name: "Linux",
        status: "missing",
        detail: `this is ${process.platform}`,
        remedy: "run Tracemill on Linux; a virtual machine will do (Lima on macOS, WSL 2 on Windows)",
      },
    ];
  }
  return [
    kernel(),
    await tools(),
    await bubblewrap(),
    userNamespaces(),
    controlGroups(),
    ...(await aSandbox(create)),
  ];
}

function kernel(): DoctorCheck {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const detail = `Linux ${release()}`;
  if (major > 5 || (major === 5 && minor >= 11)) return { name: "kernel", status: "ok", detail };
  const remedy = "overlays without root need Linux 5.11 or later; update the kernel";
  return { name: "kernel", status: "missing", detail, remedy };
}

async function tools(): Promise<DoctorCheck> {
  const wanted = ["unshare", "nsenter", "setpriv", "prlimit", "mount", "umount", "pivot_root", "chroot"];
  const missing = wanted.filter((tool) => !isInstalled(tool));
  if (missing.length > 0) {
    const remedy = "install the packages util-linux and coreutils";
    return { name: "util-linux", status: "missing", detail: `not found: ${missing.join(", ")}`, remedy };
  }
  return { name: "util-linux", status: "ok", detail: await versionOf("unshare") };
}

async function bubblewrap(): Promise<DoctorCheck> {
  if (!isInstalled("bwrap"))
    return { name: "bubblewrap", status: "ok", detail: "not installed; unshare does without" };
  return { name: "bubblewrap", status: "ok", detail: await versionOf("bwrap") };
}

async function versionOf(tool: string): Promise<string> {
  try {
    return (await run(tool, ["--version"], { env: toolEnv })).stdout.trim();
  } catch (error) {
    return `${tool} --version: ${messageOf(error)}`;
  }
}

/** Switches with which distributions turn user namespaces off, with the value that does so. */
const switches = [
  { path: "user/max_user_namespaces", off: "0", on: "sysctl -w user.max_user_namespaces=10000" },
  { path: "kernel/unprivileged_userns_clone", off: "0", on: "sysctl -w kernel.unprivileged_userns_clone=1" },
  {
    path: "kernel/apparmor_restrict_unprivileged_userns",
    off: "1",
    on: "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for unshare",
  },
];

function userNamespaces(): DoctorCheck {
  const name = "user namespaces";
  const off = switches.find((each) => readSetting(each.path) === each.off);
  if (off === undefined) return { name, status: "ok", detail: "switched on" };
  const detail = `${off.path.replaceAll("/", ".")} = ${off.off}`;
  const onlyUsers = off.path.startsWith("kernel/") && process.geteuid?.() === 0;
  const remedy = `as root: ${off.on}`;
  return { name, status: onlyUsers ? "warning" : "missing", detail, remedy };
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, "utf8").trim();
  } catch {
    return undefined;
  }
}

function controlGroups(): DoctorCheck {
  const name = "control groups";
  const found = findCgroups();
  if (found === undefined) {
    return {
      name,
      status: "warning",
      detail:
        "none that this user may use: memory and processes are limited for each process (rlimits), CPU is not",
      remedy: "run as root, or under `systemd-run --user --scope -p Delegate=yes`",
    };
  }
  const controllers = found.folders.flatMap((folder) => folder.controllers).join(", ");
  return { name, status: "ok", detail: `version ${found.version}: ${controllers}` };
}

const probe: SandboxSpec = {
  environment: { files: [], env: {}, buildTimeoutSec: 60 },
  limits: { memoryBytes: 256 * 1024 * 1024, pids: 64 },
  network: "none",
  label: "doctor",
};

/** The proof of it all: a sandbox that starts, writes, lets a model be reached, and ends. */
async function aSandbox(create: SandboxProvider["create"]): Promise<DoctorCheck[]> {
  const name = "a sandbox";
  const remedy = "see the checks above";
  try {
    const sandbox = await create(probe);
    try {
      const { exitCode, stderr } = await sandbox.exec([
        "/bin/sh",
        "-c",
        "echo ok > /app/file && cat /app/file",
      ]);
      const { isolation } = sandbox.description;
      if (exitCode !== 0) return [{ name, status: "missing", detail: stderr.trim(), remedy }];
      return [await aDoor(sandbox), { name, status: "ok", detail: isolation.join(" ") }];
    } finally {
      await sandbox.close();
    }
  } catch (error) {
    return [{ name, status: "missing", detail: messageOf(error), remedy }];
  }
}

/** Without one there are no agents whose models are reached from inside: codex, claude-code, command. */
async function aDoor(sandbox: Sandbox): Promise<DoctorCheck> {
  const name = "a door for models";
  try {
    const { close } = await sandbox.listen((connection) => connection.destroy());
    await close();
    return { name, status: "ok", detail: "on a sandbox's own 127.0.0.1" };
  } catch (error) {
    const remedy =
      "codex, claude-code and `command:` agents need it; install the package util-linux (nsenter)";
    return { name, status: "missing", detail: messageOf(error), remedy };
  }
}
