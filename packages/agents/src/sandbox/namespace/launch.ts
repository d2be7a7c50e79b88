import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { shut } from "./inherited.ts";
import { hiddenProc, overlayTable, readOnlyProc, systemTable, type Tree } from "./mounts.ts";
import { begin, mountAndWait, mountAndWrap, wrapped } from "./scripts.ts";
import { isInstalled, toolEnv } from "./tools.ts";

export type Launcher = "bwrap" | "unshare";

/** A sandbox's first process. It lives until it is ended, or until this process does. */
export interface Init {
  /** As this process sees it. */
  pid: number;
  /** Resolves when every process of the sandbox is gone. */
  ended: Promise<void>;
  alive(): boolean;
  end(): Promise<void>;
}

/** Starting takes some 30 ms; a machine that needs longer than this is stuck. */
const startTimeoutMs = 60_000;

export interface LaunchOptions {
  launcher: Launcher;
  tree: Tree;
  /** Where the mount table is written. */
  table: string;
  /** Descriptors that the sandbox must not inherit. */
  inherited: readonly number[];
  signal?: AbortSignal | undefined;
}

/**
 * Starts a sandbox's namespaces and mounts its tree.
 * @throws TracemillError `sandbox-unavailable` with what the system said.
 */
export async function launch(options: LaunchOptions): Promise<Init> {
  const { launcher, signal } = options;
  const child = spawnInit(options);
  const output = new Handshake(child);
  try {
    const first = await output.line(/^pid (\d+)$/m, signal);
    mapIds(Number(first[1]));
    child.stdin?.write("go\n");
    await output.line(/^ready$/m, signal);
    return initOf(child, launcher === "bwrap" ? childOf(Number(first[1])) : Number(first[1]));
  } catch (error) {
    child.kill("SIGKILL");
    if (signal?.aborted === true) throw signal.reason;
    throw unavailable(launcher, error, output.errors);
  }
}

function spawnInit({ launcher, tree, table, inherited }: LaunchOptions): ChildProcess {
  const lines = launcher === "bwrap" ? overlayTable(tree) : [...overlayTable(tree), ...systemTable(tree)];
  writeFileSync(table, lines.join(""));
  // A process namespace around bwrap's own, so that nothing of a bwrap that dies while it starts is left.
  const shared = [
    "--user",
    "--keep-caps",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child",
  ];
  const command =
    launcher === "bwrap"
      ? [...shared, ...shell(begin), ...shell(mountAndWrap), table, ...bwrapArguments(tree)]
      : [...shared, "--ipc", "--uts", ...shell(begin), ...ownNetwork(tree, table)];
  // The kernel kills it when the thread that starts it ends, however that ends.
  return spawn("setpriv", ["--pdeathsig", "KILL", "unshare", ...command], {
    cwd: "/",
    env: toolEnv,
    stdio: ["pipe", "pipe", "pipe", ...shut(inherited)],
    // Ctrl-C in a terminal is for us alone.
    detached: true,
  });
}

function shell(script: string): string[] {
  return ["/bin/sh", "-c", script, "init"];
}

function ownNetwork({ at, network }: Tree, table: string): string[] {
  if (network === "host") return [...shell(mountAndWait), table, at];
  return ["unshare", "--net", ...shell(mountAndWait), table, at, "lo"];
}

function bwrapArguments({ at, network }: Tree): string[] {
  return [
    ...["--unshare-pid", "--as-pid-1", "--die-with-parent", "--unshare-ipc"],
    ...["--unshare-uts", "--hostname", "sandbox"],
    ...(network === "none" ? ["--unshare-net"] : []),
    ...["--bind", at, "/", "--proc", "/sb/proc", "--dev", "/sb/dev"],
    // bwrap leaves these out when it runs as root, though a root's file permissions reach them.
    ...readOnlyProc.flatMap((name) => ["--ro-bind-try", `/proc/${name}`, `/sb/proc/${name}`]),
    ...hiddenProc
      .filter((name) => existsSync(`/proc/${name}`))
      .flatMap((name) => ["--dev-bind", "/dev/null", `/sb/proc/${name}`]),
    // Its first process has more power than any command, so that none may look into it.
    ...["--cap-add", "ALL"],
    ...["--", "/bin/sh", "-c", wrapped],
  ];
}

/**
 * As root, ids are the same inside and outside (as in Docker), but hold no power outside the namespace; else
 * the one id of this user is root inside.
 */
function mapIds(pid: number): void {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  if (uid !== 0) writeFileSync(`/proc/${pid}/setgroups`, "deny");
  writeFileSync(`/proc/${pid}/uid_map`, uid === 0 ? `0 0 ${mappable("uid")}\n` : `0 ${uid} 1\n`);
  writeFileSync(`/proc/${pid}/gid_map`, uid === 0 ? `0 0 ${mappable("gid")}\n` : `0 ${gid} 1\n`);
}

/** How many ids from 0 up this process has itself: less than all inside another container. */
function mappable(kind: "uid" | "gid"): number {
  const [inside = "0", , count = "0"] = readFileSync(`/proc/self/${kind}_map`, "utf8").trim().split(/\s+/);
  return inside === "0" ? Math.min(Number(count), 65_536) : 1;
}

/** The one child of a process. */
function childOf(parent: number): number {
  for (const pid of readdirSync("/proc").map(Number)) {
    if (!Number.isNaN(pid) && parentOf(pid) === parent) return pid;
  }
  throw new Error("bwrap has no child");
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

/** What a starting sandbox says, line by line. */
class Handshake {
  errors = "";
  readonly #child: ChildProcess;
  #text = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (this.errors.length < 4096) this.errors += text;
    });
    child.stdin?.on("error", () => undefined);
    child.on("error", (error) => {
      this.errors += messageOf(error);
    });
  }

  /** Waits until the text so far matches, and forgets it up to there. */
  async line(pattern: RegExp, signal?: AbortSignal): Promise<RegExpExecArray> {
    const stop = AbortSignal.any([
      AbortSignal.timeout(startTimeoutMs),
      ...(signal === undefined ? [] : [signal]),
    ]);
    const ended = once(this.#child, "close", { signal: stop });
    ended.catch(() => undefined);
    for (;;) {
      const match = pattern.exec(this.#text);
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length);
        return match;
      }
      const { stdout } = this.#child;
      if (stdout === null) throw new Error("no output");
      const more = once(stdout, "data", { signal: stop }).then(() => true);
      if ((await Promise.race([more, ended.then(() => false)])) === false)
        throw new Error("it ended at once");
    }
  }
}

function initOf(child: ChildProcess, pid: number): Init {
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      alive = false;
      resolve();
    };
    if (child.exitCode !== null || child.signalCode !== null) end();
    else child.once("exit", end);
  });
  // What unshare itself has to say at the end is of no interest, and it must not keep this process alive.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  child.unref();
  return {
    pid,
    ended,
    alive: () => alive,
    end: async () => {
      if (!alive) return;
      child.ref();
      killPid(pid);
      await ended;
    },
  };
}

function killPid(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

function unavailable(launcher: Launcher, error: unknown, said: string): TracemillError {
  const detail = said.trim().split("\n").slice(0, 3).join("; ") || messageOf(error);
  const advice = adviceOn(detail);
  return new TracemillError(
    "sandbox-unavailable",
    `a sandbox of Linux namespaces cannot start here by ${launcher}: ${detail}. ${advice}`,
    { cause: error },
  );
}

function adviceOn(detail: string): string {
  if (!isInstalled("unshare") || !isInstalled("setpriv")) return "Install the package util-linux";
  if (/overlay|wrong fs type/.test(detail)) {
    return "Sandboxes need Linux 5.11 or later, and a home on a file system such as ext4, xfs, btrfs or tmpfs that is no overlay itself";
  }
  return "Run `tracemill doctor` to see what is missing";
}
