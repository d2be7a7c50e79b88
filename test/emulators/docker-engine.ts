import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { access, constants, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { messageOf } from "@tracemill/core/errors.ts";
import Docker from "dockerode";
import { cached } from "./cache.ts";

const run = promisify(execFile);

/** What the Docker suites start their containers from, unless a test says otherwise. */
export const baseImage = "debian:bookworm";

/** An engine with the base image, for tests. */
export interface DockerEngine {
  /** As in DOCKER_HOST: `unix:///var/run/docker.sock`. */
  host: string;
  close(): Promise<void>;
}

/** An engine of ours on a busy machine with two cores: 3 s when nothing else runs. */
const patienceMs = 60_000;
const pullMs = 120_000;
const stopMs = 20_000;

/**
 * Asks dockerd to end when our end of its input closes, so also when this process is killed: asked, it ends its
 * containers and unmounts what is theirs.
 */
const untilInputEnds = `exec 3<&0
"$@" < /dev/null 3<&- &
server=$!
{ cat <&3 > /dev/null; kill -TERM $server; } > /dev/null 2>&1 &
wait $server`;

/**
 * The engine that answers (DOCKER_HOST, else the default socket). Where none does, and this process is root and
 * `dockerd` is installed: one of our own, in a folder of its own, that ends with `close` or with this process.
 */
export async function openDockerEngine(): Promise<DockerEngine | { missing: string }> {
  const host = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";
  const found = (await answers(host)) ? { host, close: async () => undefined } : await startEngine(host);
  if ("missing" in found) return found;
  const missing = await baseMissing(dockerAt(found.host));
  if (missing === undefined) return found;
  await found.close();
  return { missing };
}

/** A client of the engine at an address as in DOCKER_HOST. */
export function dockerAt(host: string): Docker {
  const { protocol, hostname, port, pathname } = new URL(host);
  return protocol === "unix:"
    ? new Docker({ socketPath: pathname })
    : new Docker({ protocol: "http", host: hostname, port: port || 2375 });
}

async function answers(host: string): Promise<boolean> {
  const answer = dockerAt(host).ping();
  const silence = sleep(2_000, false, { ref: false });
  return Promise.race([answer.then(() => true).catch(() => false), silence]);
}

async function startEngine(tried: string): Promise<DockerEngine | { missing: string }> {
  const missing = await cannotStart();
  if (missing !== undefined) return { missing: `no Docker engine answers at ${tried}, and ${missing}` };
  const dir = await mkdtemp(join(tmpdir(), "tracemill-docker-"));
  const host = `unix://${dir}/engine.sock`;
  const places = ["--data-root", `${dir}/data`, "--exec-root", `${dir}/exec`, "--pidfile", `${dir}/pid`];
  const args = [...places, "--host", host, "--log-level", "error"];
  const child = spawn("/bin/sh", ["-c", untilInputEnds, "sh", "dockerd", ...args], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-500);
  });
  const close = () => stopEngine(child, dir);
  for (const deadline = Date.now() + patienceMs; !(await answers(host)); await sleep(100)) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    await close();
    return { missing: `dockerd does not start: ${said.trim()}` };
  }
  return { host, close };
}

async function cannotStart(): Promise<string | undefined> {
  if (process.platform !== "linux") return `this is ${process.platform}, where none can be started`;
  if (process.geteuid?.() !== 0) return "only root can start one";
  for (const tool of ["dockerd", "iptables"]) {
    if (!(await isInstalled(tool)))
      return `${tool} is not installed (Debian: apt-get install docker.io iptables)`;
  }
  return undefined;
}

async function isInstalled(tool: string): Promise<boolean> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = await Promise.allSettled(folders.map((dir) => access(join(dir, tool), constants.X_OK)));
  return found.some(({ status }) => status === "fulfilled");
}

async function stopEngine(child: ChildProcess, dir: string): Promise<void> {
  const ended =
    child.exitCode === null && child.signalCode === null ? once(child, "exit") : Promise.resolve();
  child.stdin?.destroy();
  const isLate = await Promise.race([ended.then(() => false), sleep(stopMs, true, { ref: false })]);
  if (isLate) throw new Error(`dockerd does not end within ${stopMs / 1_000} s; its files are in ${dir}`);
  await rm(dir, { recursive: true, force: true });
}

/** Sees to it that the base image is there. @returns why it cannot be. */
async function baseMissing(docker: Docker): Promise<string | undefined> {
  const isThere = await docker
    .getImage(baseImage)
    .inspect()
    .then(
      () => true,
      () => false,
    );
  if (isThere) return undefined;
  const pulled = await pull(docker).catch(messageOf);
  if (pulled === undefined) return undefined;
  const made = await makeBase(docker).catch(messageOf);
  return made === undefined ? undefined : `${baseImage} cannot be pulled (${pulled}), and ${made}`;
}

async function pull(docker: Docker): Promise<undefined> {
  const abortSignal = AbortSignal.timeout(pullMs);
  await finished(docker, await docker.pull(baseImage, { abortSignal }));
}

function finished(docker: Docker, stream: NodeJS.ReadableStream): Promise<undefined> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve(undefined)));
  });
}

/** Debian's own, from the packages that this machine installs from; kept between runs. @returns why it cannot be. */
async function makeBase(docker: Docker): Promise<string | undefined> {
  if (process.geteuid?.() !== 0) return "only root can make it with debootstrap";
  if (!(await isInstalled("debootstrap"))) {
    return "debootstrap is not installed (Debian: apt-get install debootstrap)";
  }
  const dir = await cached("docker-base-bookworm", bootstrap);
  const [repo = "", tag = ""] = baseImage.split(":");
  const stream = await docker.importImage(createReadStream(join(dir, "root.tar")), { repo, tag });
  await finished(docker, stream);
  return undefined;
}

async function bootstrap(dir: string): Promise<void> {
  const root = join(dir, "root");
  const mirror = await debianMirror();
  // Python, since tests of tasks are mostly written in it; 20 s of the 60.
  const args = ["--variant=minbase", "--include=python3-minimal", "bookworm", root, ...mirror];
  await run("debootstrap", args, { maxBuffer: 16 * 1024 * 1024 });
  await run("tar", ["-C", root, "-cf", join(dir, "root.tar"), "."]);
  await rm(root, { recursive: true, force: true });
}

/** Where this machine gets Debian from; without one, debootstrap's own default. */
async function debianMirror(): Promise<string[]> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI)"]).catch(() => ({
    stdout: "",
  }));
  const mirror = stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  return mirror === undefined ? [] : [mirror];
}
