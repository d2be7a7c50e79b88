import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { removeAbandoned } from "@tracemill/agents/sandbox/docker/janitor.ts";
import { nameLabel } from "@tracemill/agents/sandbox/docker/labels.ts";
import { type DockerOptions, dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import type { SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import Docker from "dockerode";
import { expect, test } from "vitest";
import { changesIn, type OpenSandbox, specOf } from "./open-sandbox.ts";

export interface DockerWorld {
  docker: Docker;
  /** The image that all tests start from. */
  image: string;
  /** The engine's socket. */
  socket: string;
  options: DockerOptions;
  open: OpenSandbox;
}

const mib = 1024 * 1024;

/** What goes wrong with engines, images and containers, and what of it a trial sees. */
export function dockerFaults(world: DockerWorld): void {
  images(world);
  limits(world);
  engines(world);
  leftovers(world);
}

async function containersOf(docker: Docker, label: string): Promise<Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: { label: [`${nameLabel}=${label}`] } });
}

function images({ docker, image, open, options }: DockerWorld): void {
  test("an image that is not there and cannot be pulled is named", async () => {
    const environment = { image: "tracemill-no-such/image:1" };
    await expect(open({ environment })).rejects.toMatchObject({
      message: expect.stringContaining("tracemill-no-such/image:1"),
    });
  });

  test("a prebuilt image is used as it is", async () => {
    await using sandbox = await open({ environment: { image } });
    expect(sandbox.workdir).toBe("/app");
    expect(sandbox.description).toMatchObject({ sandbox: "docker", base: image, network: "none" });
  });

  test("a broken Dockerfile is built once, whoever else wants it", async () => {
    const log: string[] = [];
    const provider = dockerSandboxes({ ...options, log: (message) => log.push(message) });
    const broken = { dockerfile: `FROM ${image}\nRUN : broken-${process.pid}; exit 3\n` };
    const ask = () => provider.create(specOf({ environment: broken }));
    const failed = { code: "sandbox-failed", message: expect.stringContaining("line 2") };
    await Promise.all([ask(), ask()].map((asked) => expect(asked).rejects.toMatchObject(failed)));
    await expect(ask()).rejects.toMatchObject(failed);
    expect(log.filter((message) => message.includes("building"))).toHaveLength(1);
    await provider.close();
  });

  test("an image that somebody removes while we run is made again", async () => {
    const provider = dockerSandboxes(options);
    const environment = { dockerfile: `FROM ${image}\nRUN echo ${process.pid} > /made-again\n` };
    const first = await provider.create(specOf({ environment }));
    const tag = `tracemill/env:${first.description.environment?.slice(0, 24)}`;
    await first.close();
    await docker.getImage(tag).remove({ force: true });
    const second = await provider.create(specOf({ environment }));
    expect(await second.readFile("/made-again")).toBeDefined();
    await second.close();
    await provider.close();
  });

  test("a build that never ends is ended, and so is what it ran", async () => {
    const mark = `endless-${process.pid}`;
    const dockerfile = `FROM base\nLABEL mark=${mark}\nRUN : ${mark}; sleep 1000\n`;
    await expect(open({ environment: { dockerfile, buildTimeoutSec: 3 } })).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringMatching(/line 3: RUN .*build_timeout_sec/s),
    });
    for (let tries = 0; tries < 50 && (await running(mark)) > 0; tries += 1) await sleep(200);
    expect(await running(mark)).toBe(0);
  });

  const running = async (mark: string): Promise<number> =>
    (await docker.listContainers({ all: true })).filter(({ Command }) => Command.includes(mark)).length;

  test("what the classic builder cannot do is said with its line", async () => {
    const files = [{ path: "a", content: Buffer.from("a"), mode: 0o644 }];
    const environment = { dockerfile: "FROM base\nCOPY --chmod=755 a /a\n", files };
    await expect(open({ environment })).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringMatching(/line 2: .*BuildKit/),
    });
  });

  test("two processes that build one environment at once both have it", async () => {
    const dockerfile = `FROM ${image}\nRUN sleep 1; date +%N > /built-${process.pid}\n`;
    const providers = [1, 2].map(() => dockerSandboxes(options));
    const spec = specOf({ environment: { dockerfile } });
    const sandboxes = await Promise.all(providers.map((provider) => provider.create(spec)));
    const third = await dockerSandboxes(options).create(spec);
    const built = await Promise.all(
      [...sandboxes, third].map((sandbox) => sandbox.readFile(`/built-${process.pid}`)),
    );
    expect(built.every((content) => content !== undefined)).toBe(true);
    for (const sandbox of [...sandboxes, third]) await sandbox.close();
    for (const provider of providers) await provider.close();
  });
}

function limits({ docker, open }: DockerWorld): void {
  test("commands run as the user that is asked for, and files belong to root", async () => {
    await using sandbox = await open({ user: "nobody" });
    await sandbox.writeFiles([{ path: "/app/x", content: "x" }]);
    const { stdout } = await sandbox.exec(["/bin/sh", "-c", "id -un; stat -c %U /app/x; echo $HOME"]);
    expect(stdout).toBe("nobody\nroot\n/nonexistent\n");
    expect((await sandbox.exec(["touch", "/etc/x"])).exitCode).toBe(1);
  });

  test("a sandbox is a container with nothing more than Docker's defaults", async () => {
    await using sandbox = await open({ label: "privileges" });
    const script = "grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status; unshare -Ur true 2>&1; uname -n";
    const { stdout } = await sandbox.exec(["/bin/sh", "-c", script]);
    expect(stdout).toMatch(/CapEff:\s+00000000a80425fb/);
    expect(stdout).toMatch(/NoNewPrivs:\s+1/);
    expect(stdout).toMatch(/Seccomp:\s+2/);
    expect(stdout).toContain("sandbox\n");
  });

  test("without network there is a loopback that has its name, and nothing else", async () => {
    await using sandbox = await open();
    const script = `grep -c : /proc/net/dev; python3 -c "
import socket
server = socket.create_server(('localhost', 0))
socket.create_connection(server.getsockname()); print('own loopback')
try: socket.create_connection(('1.1.1.1', 53), 2)
except OSError: print('no way out')"`;
    expect(await sandbox.exec(["/bin/sh", "-c", script])).toMatchObject({
      stderr: "",
      stdout: "1\nown loopback\nno way out\n",
    });
  });

  test("a sandbox that fills the disk is ended, by name", async () => {
    await using sandbox = await open({ limits: { diskBytes: 20 * mib, fileBytes: 15 * mib } });
    const fill = "for i in 1 2 3; do head -c 12000000 /dev/zero > /app/$i; done; sleep 1000";
    await expect(sandbox.exec(["/bin/sh", "-c", fill])).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringContaining("storage_mb"),
    });
  });

  test("a sparse file of 1 TB is no workspace, and costs nothing to find out", async () => {
    await using sandbox = await open({ limits: { fileBytes: 2 ** 41 } });
    await sandbox.exec(["truncate", "-s", "1T", "/app/sparse"]);
    await using small = await open();
    await expect(changesIn(sandbox)).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringContaining("/app/sparse"),
    });
    await expect(sandbox.readFile("/app/sparse")).rejects.toMatchObject({ code: "invalid-input" });
    expect(await changesIn(small)).toEqual([]);
  });

  test("a link to what only the machine's own root may read in /proc gives nothing of it", async () => {
    await using sandbox = await open();
    await sandbox.exec(["ln", "-s", "/proc/kallsyms", "/app/symbols"]);
    const content = await sandbox.readFile("/app/symbols").catch(() => undefined);
    expect(content).toBeUndefined();
  });

  test("a container that ends by itself is a failure of the environment, with its reason", async () => {
    await using sandbox = await open({ label: "killed" });
    const waiting = sandbox.exec(["sleep", "1000"]);
    const failed = expect(waiting).rejects.toMatchObject({ code: "sandbox-failed", retryable: true });
    await sandbox.exec(["true"]);
    for (const { Id } of await containersOf(docker, "killed")) await docker.getContainer(Id).kill();
    await failed;
    await expect(sandbox.exec(["true"])).rejects.toMatchObject({ code: "sandbox-failed" });
  });
}

/** Passes everything on to the engine's socket, until it is cut or told to swallow. */
async function gate(socket: string): Promise<{ docker: Docker; cut(): void; hang(): void; close(): void }> {
  const path = join(tmpdir(), `tracemill-gate-${process.pid}-${Date.now()}.sock`);
  const open = new Set<Socket>();
  let hanging = false;
  const server = createServer((client) => {
    const engine = connect(socket);
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ] as const) {
      open.add(from);
      from.on("data", (chunk: Buffer) => hanging || to.write(chunk));
      from.on("end", () => to.end()).on("error", () => to.destroy());
      from.on("close", () => open.delete(from));
    }
  });
  server.listen(path);
  await once(server, "listening");
  const cut = (): void => {
    for (const each of open) each.destroy();
    server.close();
  };
  const hang = (): void => {
    hanging = true;
  };
  return { docker: new Docker({ socketPath: path }), cut, hang, close: cut };
}

function engines({ docker, image, socket, options }: DockerWorld): void {
  test("an engine that goes away during a command is a failure that may be tried again, at once", async () => {
    const way = await gate(socket);
    const provider = dockerSandboxes({ ...options, docker: way.docker });
    const sandbox = await provider.create(specOf({ label: "gone" }));
    const running = sandbox.exec(["sleep", "1000"]);
    const failed = expect(running).rejects.toMatchObject({ code: "sandbox-failed", retryable: true });
    await sandbox.exec(["true"]);
    way.cut();
    await failed;
    await expect(provider.create(specOf({}))).rejects.toMatchObject({ code: "sandbox-failed" });
    for (const { Id } of await containersOf(docker, "gone"))
      await docker.getContainer(Id).remove({ force: true });
  });

  test("no engine at all is said with the remedy", async () => {
    const provider = dockerSandboxes({
      ...options,
      docker: new Docker({ socketPath: "/none.sock" }),
      baseImage: image,
    });
    await expect(provider.create(specOf({}))).rejects.toMatchObject({
      code: "sandbox-unavailable",
      message: expect.stringContaining("sandbox: namespace"),
    });
    expect(await provider.doctor()).toMatchObject([{ name: "Docker", status: "missing" }]);
  });
}

/** Opens a sandbox and then dies without a word. */
const abandon = `
const [{ dockerSandboxes }, { processOwner }] = await Promise.all([
  import("@tracemill/agents/sandbox/docker/provider.ts"), import("@tracemill/local/owner.ts")]);
const provider = dockerSandboxes({
  owner: processOwner(Date.now()), dir: process.env.DIR, logDir: process.env.DIR, baseImage: process.env.IMAGE });
const environment = { files: [], env: {}, buildTimeoutSec: 60 };
await provider.create({ environment, limits: {}, network: "none", label: process.env.LABEL });
process.kill(process.pid, "SIGKILL");
`;

function leftovers({ docker, image, socket, options, open }: DockerWorld): void {
  test("what a killed process leaves behind is removed, and nothing of the living", async () => {
    const label = `abandoned-${process.pid}`;
    await using mine = await open({ label: `living-${process.pid}` });
    const child = spawn(process.execPath, ["--input-type=module", "--eval", abandon], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { DIR: options.dir, IMAGE: image, LABEL: label, DOCKER_HOST: `unix://${socket}` },
      stdio: "inherit",
    });
    await once(child, "exit");
    expect(await containersOf(docker, label)).toHaveLength(1);
    const { isGone } = processOwner(Date.now());
    const removed = await removeAbandoned({ docker, isGone });
    expect(removed.map((leftover) => leftover.label)).toContain(label);
    expect(await containersOf(docker, label)).toEqual([]);
    expect((await mine.exec(["true"])).exitCode).toBe(0);
  });

  test("links in circles in an image leave nothing behind either", async () => {
    const owner = processOwner(Date.now());
    const provider = dockerSandboxes({ ...options, owner });
    const dockerfile = `FROM ${image}\nRUN ln -s circle /circle\n`;
    const sandbox = await provider.create(specOf({ environment: { dockerfile } }));
    for (const name of ["a", "b", "c"]) expect(await sandbox.baseHas(`/circle/${name}`)).toBe(false);
    await sandbox.close();
    await provider.close();
    const filters = { label: [`dev.tracemill.owner=${owner.id}`] };
    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
  });

  test("a closed sandbox, and a closed provider, leave nothing in the engine", async () => {
    const label = `closed-${process.pid}`;
    const owner = processOwner(Date.now());
    const provider: SandboxProvider = dockerSandboxes({ ...options, owner });
    const sandbox = await provider.create(specOf({ label }));
    await sandbox.baseHas("/bin/sh");
    await sandbox.close();
    await provider.close();
    const left = await docker.listContainers({
      all: true,
      filters: { label: [`dev.tracemill.owner=${owner.id}`] },
    });
    expect(left).toEqual([]);
  });
}
