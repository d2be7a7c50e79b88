import { spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { toolEnv } from "../../namespace/tools.ts";

export interface ComposeCall {
  docker: Docker;
  /** Arguments after `docker compose`. */
  args: readonly string[];
  /** Variables with which compose files are filled in. Those that steer Docker's own programs are left out. */
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface ComposeResult {
  /** `undefined` when it was killed, since it ran out of time. */
  exitCode: number | undefined;
  stdout: string;
  /** The last part of it. */
  stderr: string;
}

/** Where Docker's program is on Debian, on macOS with its desktop, and from Homebrew. */
const path = `${toolEnv.PATH}:/usr/local/bin:/opt/homebrew/bin`;

/** A compose file of thousands of services, made long; more is nothing that could be started. */
const mostOutput = 16 * 1024 ** 2;
const keptErrors = 4_000;

/** A task names its own variables: these would choose another engine, other plugins or other compose files. */
const steering = /^(PATH|HOME|(LD|DOCKER|COMPOSE|BUILDX|BUILDKIT|XDG|GO|SSL|OTEL)_?.*|.*_PROXY)$/i;

/**
 * Runs Docker's compose plugin, and ends it with all its children when it takes too long. None of this process's
 * variables reach it.
 * @throws TracemillError `sandbox-unavailable` when the program or the plugin is not installed; the signal's reason.
 */
export async function runCompose({
  docker,
  args,
  env,
  timeoutMs,
  signal,
}: ComposeCall): Promise<ComposeResult> {
  signal?.throwIfAborted();
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !steering.test(name)));
  const child = spawn("docker", ["compose", "--ansi", "never", "--progress", "plain", ...args], {
    env: { ...own, PATH: path, HOME: homedir(), ...engineOf(docker) },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: the plugin is a child of Docker's program.
    detached: true,
  });
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener("abort", kill);
  try {
    const stdout = collect(child.stdout, mostOutput, "first");
    const stderr = collect(child.stderr, keptErrors, "last");
    const [code] = (await once(child, "close").catch(notInstalled)) as [number | null];
    signal?.throwIfAborted();
    if (code !== null && code !== 0 && isPluginMissing(stderr())) throw unavailable("its compose plugin");
    return { exitCode: code ?? undefined, stdout: stdout(), stderr: stderr().trim() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", kill);
  }
}

/** The version of the compose plugin, for the doctor; `undefined` when it is not installed. */
export async function composeVersion(docker: Docker): Promise<string | undefined> {
  const call = { docker, args: ["version", "--short"], env: {}, timeoutMs: 10_000 };
  const result = await runCompose(call).catch(() => undefined);
  return result?.exitCode === 0 ? result.stdout.trim() : undefined;
}

/** The same engine as the client's. Reached over the network, it is the one of Docker's current context. */
function engineOf({ modem }: Docker): Record<string, string> {
  const socket = "socketPath" in modem && typeof modem.socketPath === "string" ? modem.socketPath : undefined;
  return socket === undefined ? {} : { DOCKER_HOST: `unix://${socket}` };
}

function collect(stream: NodeJS.ReadableStream, most: number, keep: "first" | "last"): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const all = text + chunk;
    text = keep === "first" ? all.slice(0, most) : all.slice(-most);
  });
  return () => text;
}

/** What Docker's program says where it has no such plugin, old and new. */
function isPluginMissing(stderr: string): boolean {
  return /unknown command: docker compose|'compose' is not a docker command|unknown flag: --ansi/.test(
    stderr,
  );
}

function notInstalled(error: NodeJS.ErrnoException): never {
  throw error.code === "ENOENT" ? unavailable("Docker's command-line program") : error;
}

function unavailable(what: string): TracemillError {
  return new TracemillError(
    "sandbox-unavailable",
    `a task with a docker-compose.yaml needs Docker's compose plugin, and ${what} is not installed here: https://docs.docker.com/compose/install/linux (Ubuntu: apt-get install docker-compose-v2)`,
  );
}
