import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { networkInterfaces } from "node:os";
import { buffer } from "node:stream/consumers";
import { type Egress, openEgress } from "@tracemill/agents/sandbox/docker/egress/open.ts";
import { dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import type Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { baseImage, dockerAt } from "../emulators/docker-engine.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { specOf } from "./open-sandbox.ts";

const engine = inject("docker");
const missing =
  "missing" in engine
    ? engine.missing
    : process.geteuid?.() === 0
      ? undefined
      : "only root can enter a container's network";
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

/** Says what a proxied request and an opened tunnel get: what curl would, with what the base image has. */
const ask = `
use IO::Socket::INET;
my ($peer, $request) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => $peer, Timeout => 3) or do { print "none: $@"; exit };
print $socket $request =~ s/\\\\n/\\r\\n/gr;
local $/; print <$socket>;
`;

interface Box extends AsyncDisposable {
  egress: Egress;
  /** Sends text over a socket from inside. @returns the answer, or `none: …` where nobody listens. */
  send(peer: string, text: string): Promise<string>;
  /** Asks the proxy for a URL. */
  get(url: string): Promise<string>;
  exec(command: readonly string[]): Promise<string>;
}

describe.skipIf(missing !== undefined)(`a Docker sandbox with an allow-list${why}`, () => {
  const docker = dockerAt("host" in engine ? engine.host : "unix:///none");
  const names: Record<string, string[]> = {};
  let server: Server;
  let port: number;
  let hostAddress: string;

  beforeAll(async () => {
    // On every address of this machine, as a careless server is: what the sandbox must not find by itself.
    server = createServer((request, response) => response.end(`served ${request.headers.host}`));
    server.listen(0, "0.0.0.0");
    await once(server, "listening");
    port = (server.address() as { port: number }).port;
    hostAddress = addressOfThisMachine();
    names["good.test"] = [hostAddress];
    names["deep.below.test"] = [hostAddress];
    names["rebound.test"] = ["127.0.0.1"];
    names["inside.test"] = ["10.11.12.13"];
  });
  afterAll(() => server?.close());

  async function open(allow: readonly string[]): Promise<Box> {
    const resolve = async (name: string) => names[name] ?? [];
    const egress = openEgress({ docker, allow, resolve });
    const container = await docker.createContainer({
      Image: baseImage,
      Cmd: ["sleep", "infinity"],
      Env: Object.entries(egress.env).map(([name, value]) => `${name}=${value}`),
      Labels: { "dev.tracemill.test": "egress" },
      HostConfig: { NetworkMode: egress.network, AutoRemove: true },
    });
    await container.start();
    await egress.attach(container.id);
    const exec = (command: readonly string[]) => run(container, command);
    const send = (peer: string, text: string) => exec(["perl", "-e", ask, peer, text]);
    return {
      egress,
      exec,
      send,
      get: (url) => send("127.0.0.1:3128", `GET ${url} HTTP/1.1\\nHost: x\\nConnection: close\\n\\n`),
      [Symbol.asyncDispose]: async () => {
        egress.close();
        await container.remove({ force: true });
      },
    };
  }

  test("reaches the hosts on the list, by plain HTTP and by tunnel, and is told that others are refused", async () => {
    await using box = await open(["good.test", "*.below.test", hostAddress, "rebound.test", "inside.test"]);
    expect(await box.get(`http://good.test:${port}/`)).toContain("served x");
    expect(await box.get(`http://deep.below.test:${port}/`)).toContain("served x");
    expect(await box.get(`http://${hostAddress}:${port}/`)).toContain("served x");
    const tunnel = `CONNECT good.test:${port} HTTP/1.1\\n\\nGET / HTTP/1.1\\nHost: inner\\nConnection: close\\n\\n`;
    expect(await box.send("127.0.0.1:3128", tunnel)).toMatch(/^HTTP\/1.1 200[\s\S]*served inner/);

    const refused = await box.get(`http://evil.test:${port}/`);
    expect(refused).toMatch(/^HTTP\/1.1 403[\s\S]*evil.test:\d+: not in allowed_hosts/);
    const evil = await box.send("127.0.0.1:3128", "CONNECT evil.test:443 HTTP/1.1\\n\\n");
    expect(evil).toMatch(/^HTTP\/1.1 403/);
    expect(await box.get("http://below.test/")).toMatch(/^HTTP\/1.1 403/);
    expect(box.egress.refused()).toEqual([
      `evil.test:${port}: not in allowed_hosts`,
      "evil.test:443: not in allowed_hosts",
      "below.test:80: not in allowed_hosts",
    ]);
  });

  test("does not follow a name on the list into this machine or its network", async () => {
    await using box = await open(["rebound.test", "inside.test", "good.test", "127.0.0.1"]);
    for (const name of ["rebound.test", "inside.test", "good.test"]) {
      expect(await box.get(`http://${name}:${port}/`)).toMatch(/^HTTP\/1.1 403[\s\S]*not public/);
    }
    for (const address of ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
      expect(await box.get(`http://${address}:${port}/`), address).toMatch(/^HTTP\/1.1 403/);
      const connect = `CONNECT ${address}:${port} HTTP/1.1\\n\\n`;
      expect(await box.send("127.0.0.1:3128", connect), address).toMatch(/^HTTP\/1.1 403/);
    }
  });

  test("has no other way out: no host, no router, no names", async () => {
    await using box = await open(["good.test", hostAddress]);
    expect(await box.send(`${hostAddress}:${port}`, "GET / HTTP/1.0\\n\\n")).toMatch(/^none: /);
    expect(await box.send(`172.17.0.1:${port}`, "GET / HTTP/1.0\\n\\n")).toMatch(/^none: /);
    expect(await box.exec(["cat", "/proc/net/route"])).not.toContain("\n");
    expect(await box.exec(["sh", "-c", "ls /sys/class/net"])).toBe("lo");
    expect(await box.exec(["sh", "-c", "getent hosts good.test || echo unknown"])).toBe("unknown");
  });

  test("two of them keep their own lists", async () => {
    await using one = await open(["good.test", hostAddress]);
    await using other = await open(["deep.below.test", hostAddress]);
    expect(await one.get(`http://good.test:${port}/`)).toContain("served");
    expect(await other.get(`http://good.test:${port}/`)).toMatch(/^HTTP\/1.1 403/);
    expect(one.egress.refused()).toEqual([]);
  });

  test("as a sandbox of a task: commands find the proxy, and the record says what was refused", async () => {
    await using home = await tempDir();
    const owner = processOwner(Date.now());
    const provider = dockerSandboxes({ docker, owner, dir: home.path, logDir: home.path, baseImage });
    const sandbox = await provider.create(specOf({ network: { allow: ["good.test"] } }));
    expect(sandbox.description).toMatchObject({ network: "allowlist" });
    expect(sandbox.description.refusedHosts).toBeUndefined();
    const fetching =
      'use IO::Socket::INET; my $s = IO::Socket::INET->new($ENV{HTTPS_PROXY} =~ s,http://,,r); \
      print $s "CONNECT evil.test:443 HTTP/1.1\\r\\n\\r\\n"; print scalar <$s>';
    expect((await sandbox.exec(["perl", "-e", fetching])).stdout).toContain("403 Forbidden");
    expect(sandbox.description.refusedHosts).toEqual(["evil.test:443: not in allowed_hosts"]);
    await sandbox.close();
    await provider.close();
  });

  test("once it is closed, nothing is reached", async () => {
    await using box = await open([hostAddress]);
    box.egress.close();
    expect(await box.get(`http://${hostAddress}:${port}/`)).toMatch(/^none: /);
  });

  test("a container that has ended is a failure of the sandbox", async () => {
    await using box = await open([hostAddress]);
    const { id } = await docker.createContainer({ Image: baseImage, Cmd: ["true"] });
    await expect(box.egress.attach(id)).rejects.toMatchObject({ code: "sandbox-failed", retryable: true });
    await docker.getContainer(id).remove();
  });
});

/** An address of this machine that is not its loopback: its own, else the one of Docker's bridge. */
function addressOfThisMachine(): string {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const address = all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (address === undefined) throw new Error("this machine has no address but its loopback");
  return address;
}

async function run(container: Docker.Container, command: readonly string[]): Promise<string> {
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true, Tty: true });
  const output = await buffer(await exec.start({ Tty: true }));
  return output.toString().trim();
}
