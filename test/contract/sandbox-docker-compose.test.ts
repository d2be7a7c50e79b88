import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { composeVersion } from "@tracemill/agents/sandbox/docker/compose/docker-cli.ts";
import { type ComposedSandbox, composeUp } from "@tracemill/agents/sandbox/docker/compose/up.ts";
import { openEgress } from "@tracemill/agents/sandbox/docker/egress/open.ts";
import { keptLayers, removeKeptLayer } from "@tracemill/agents/sandbox/docker/janitor.ts";
import { dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import type { SandboxLimits, SandboxNetwork } from "@tracemill/core/ports/sandbox.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { afterAll, describe, expect, inject, test } from "vitest";
import { baseImage, dockerAt } from "../emulators/docker-engine.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { changesIn, specOf } from "./open-sandbox.ts";

const engine = inject("docker");
const docker = dockerAt("host" in engine ? engine.host : "unix:///none");
const missing =
  "missing" in engine
    ? engine.missing
    : (await composeVersion(docker)) === undefined
      ? "Docker's compose plugin is not installed"
      : undefined;
const why = missing === undefined ? "" : ` (skipped: ${missing})`;

interface Asked {
  compose: string;
  files?: Record<string, string>;
  network?: SandboxNetwork;
  limits?: SandboxLimits;
  env?: Record<string, string>;
  buildTimeoutSec?: number;
  signal?: AbortSignal;
}

describe.skipIf(missing !== undefined)(`a task with a compose file${why}`, async () => {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-compose-"));
  afterAll(() => rm(dir, { recursive: true, force: true }));
  const labels = { "dev.tracemill.test": `compose-${process.pid}` };

  async function up({
    compose,
    files = {},
    network = "none",
    limits = {},
    env = {},
    signal,
    ...rest
  }: Asked) {
    const context = Object.entries(files).map(([path, text]) => ({
      path,
      content: Buffer.from(text),
      mode: 0o644,
    }));
    const environment = { compose, files: context, env, buildTimeoutSec: rest.buildTimeoutSec ?? 120 };
    const opened = await composeUp({
      docker,
      dir,
      environment,
      builtImage: baseImage,
      limits,
      network,
      layers: [],
      labels,
      signal,
    });
    const exec = (script: string, service = "main") => run(opened, service, script);
    return Object.assign(opened, { exec, [Symbol.asyncDispose]: () => opened.close() });
  }

  /** What is left of this test's projects: containers, networks, volumes. */
  async function left(): Promise<number> {
    const filters = { label: [`dev.tracemill.test=compose-${process.pid}`] };
    const [containers, networks, volumes] = await Promise.all([
      docker.listContainers({ all: true, filters }),
      docker.listNetworks({ filters }),
      docker.listVolumes({ filters }),
    ]);
    return containers.length + networks.length + (volumes.Volumes ?? []).length;
  }

  test("has its services up and healthy, main asleep, and leaves nothing", async () => {
    const compose = `
services:
  main: { depends_on: [db], environment: { GREETING: "\${WORD:-none} $$5" } }
  db:
    image: ${baseImage}
    command: [bash, -c, "sleep 1; touch /tmp/ready; sleep infinity"]
    healthcheck: { test: [CMD, test, -f, /tmp/ready], interval: 200ms, retries: 50 }
    volumes: ["data:/data", "./conf:/conf:ro"]
volumes: { data: {} }
`;
    const files = { "conf/a.txt": "from the task" };
    const opened = await up({ compose, files, env: { WORD: "hello", PRICE: "a $HOME b" } });
    const [db] = await docker.listContainers({
      filters: { label: [`dev.tracemill.test=compose-${process.pid}`, "com.docker.compose.service=db"] },
    });
    expect(db?.Status).toContain("healthy");
    expect(await opened.exec("getent hosts db | wc -l")).toBe("1");
    expect(await opened.exec("echo $GREETING, $PRICE")).toBe("hello $5, a $HOME b");
    expect(await opened.exec("cat /conf/a.txt; touch /conf/b", "db")).toMatch(
      /from the task[\s\S]*Read-only/,
    );
    await opened.close();
    await opened.close();
    expect(await left()).toBe(0);
    expect(await readdir(dir)).toEqual([]);
  });

  test("as a sandbox of a task: main has the image of the Dockerfile, and the rest is beside it", async () => {
    await using home = await tempDir();
    const owner = processOwner(Date.now());
    const provider = dockerSandboxes({ docker, owner, dir: home.path, logDir: home.path });
    const dockerfile = `FROM ${baseImage}\nRUN echo of-the-task > /etc/mark\nWORKDIR /srv\n`;
    const compose = `
services:
  main: { depends_on: [db] }
  db: { image: "${baseImage}", command: [sleep, infinity] }
`;
    const sandbox = await provider.create(
      specOf({ environment: { dockerfile, compose, env: { WORD: "hello" } } }),
    );
    const script = "cat /etc/mark; pwd; echo $WORD; getent hosts db | wc -l; id -u";
    const { stdout } = await sandbox.exec(["sh", "-c", script]);
    expect(stdout).toBe("of-the-task\n/srv\nhello\n1\n0\n");
    await sandbox.writeFiles([{ path: "/srv/new.txt", content: "x" }]);
    expect(await changesIn(sandbox)).toEqual(["directory srv", "file srv/new.txt"]);
    expect(sandbox.description.isolation).toContain("compose");
    await sandbox.close();
    await provider.close();
    expect(await readdir(home.path)).not.toContainEqual(expect.stringContaining("tracemill-"));
    const filters = { label: [`dev.tracemill.owner=${owner.id}`] };
    expect(await docker.listContainers({ all: true, filters })).toEqual([]);
  });

  test("a task's own containers have layers in main, and a door in main's network", async () => {
    await using home = await tempDir();
    await using folder = await tempDir("tracemill-layer-");
    await writeFile(join(folder.path, "data"), "of the layer");
    const owner = processOwner(Date.now());
    const provider = dockerSandboxes({ docker, owner, dir: home.path, logDir: home.path, baseImage });
    const compose = `
services:
  main: { image: "${baseImage}", volumes: ["own:/own"] }
  db: { image: "${baseImage}", command: [sleep, infinity] }
volumes: { own: {} }
`;
    const layer = { id: `contract-compose-${process.pid}`, dir: folder.path, path: "/opt/tracemill/x" };
    const sandbox = await provider.create(specOf({ environment: { compose }, layers: [layer] }));
    const door = await sandbox.listen((connection) => connection.end("hello"));
    const script = `cat ${layer.path}/data; (touch ${layer.path}/new) 2> /dev/null || echo " read-only"; cat < /dev/tcp/127.0.0.1/${door.port}`;
    expect((await sandbox.exec(["bash", "-c", script])).stdout).toBe("of the layer read-only\nhello");
    // Where the task's own volume is mounted.
    expect(await changesIn(sandbox)).toEqual(["directory own"]);
    await sandbox.close();
    await provider.close();
    const kept = (await keptLayers(docker)).filter(({ id }) => id === layer.id);
    expect(await Promise.all(kept.map((each) => removeKeptLayer(docker, each)))).toEqual([true]);
  });

  test("builds a service's image once", async () => {
    const compose = "services: { db: { build: ./db, command: [sleep, infinity] } }";
    const files = { "db/Dockerfile": `FROM ${baseImage}\nRUN date +%N > /built\n` };
    const opened = await Promise.all([up({ compose, files }), up({ compose, files })]);
    const built = await Promise.all(opened.map((one) => one.exec("cat /built", "db")));
    expect(built[0]).toMatch(/^\d+$/);
    expect(built[1]).toBe(built[0]);
    await Promise.all(opened.map((one) => one.close()));
    const [tag] = (await docker.listImages({ filters: { reference: ["tracemill/compose"] } })).flatMap(
      ({ RepoTags }) => RepoTags ?? [],
    );
    for (const { RepoTags } of await docker.listImages({ filters: { reference: ["tracemill/compose"] } })) {
      for (const name of RepoTags ?? []) await docker.getImage(name).remove();
    }
    expect(tag).toMatch(/-db$/);
  });

  test("without a network, services reach each other and nothing else", async () => {
    const compose = `services: { web: { image: "${baseImage}", command: [sleep, infinity] } }`;
    await using opened = await up({ compose });
    expect(await opened.exec("getent hosts web | wc -l")).toBe("1");
    expect(await opened.exec("getent hosts deb.debian.org || echo unknown")).toBe("unknown");
    // A careless server: it listens on every address of this machine, those of Docker's bridges among them.
    const server = createServer().listen(0, "0.0.0.0");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { NetworkSettings } = await docker.getContainer(opened.containerId).inspect();
    const [network] = Object.values(NetworkSettings.Networks);
    const own = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
    const addresses = own.filter(({ family, internal }) => family === "IPv4" && !internal);
    for (const address of [network?.Gateway, ...addresses.map(({ address }) => address)]) {
      const said = await opened.exec(
        `(timeout 2 bash -c "echo > /dev/tcp/${address}/${port}" || echo none) 2>&1 | tail -1`,
      );
      expect(said, address).toBe("none");
    }
    server.close();
  });

  test("with an allow-list, main has a proxy and the other services have nothing", async () => {
    if (process.geteuid?.() !== 0) return;
    const compose = `services: { web: { image: "${baseImage}", command: [sleep, infinity] } }`;
    await using opened = await up({ compose, network: { allow: ["good.test"] } });
    const egress = openEgress({ docker, allow: ["good.test"] });
    await egress.attach(opened.containerId);
    const ask =
      "exec 3<>/dev/tcp/127.0.0.1/3128; echo -e 'GET http://evil.test/ HTTP/1.0\\r\\n\\r' >&3; head -1 <&3";
    expect(await opened.exec(ask)).toContain("403");
    expect(await opened.exec(ask, "web")).toContain("refused");
    egress.close();
  });

  test("limits hold for every service, and a service's own where it is lower", async () => {
    const compose = `
services:
  main: { deploy: { resources: { limits: { memory: 64m } } } }
  web: { image: "${baseImage}", command: [sleep, infinity], mem_limit: 100g, cpus: 64, ports: ["8080:80"], container_name: web }
`;
    await using opened = await up({
      compose,
      limits: { memoryBytes: 128 * 1024 ** 2, cpus: 0.5, pids: 100 },
    });
    const label = [`dev.tracemill.test=compose-${process.pid}`, "com.docker.compose.service=web"];
    const [web] = await docker.listContainers({ filters: { label } });
    const limitsOf = async (id: string) => {
      const { HostConfig, Name } = await docker.getContainer(id).inspect();
      expect(Name).not.toBe("/web");
      expect(HostConfig.PortBindings ?? {}).toEqual({});
      expect(HostConfig.SecurityOpt).toEqual(["no-new-privileges:true"]);
      return [HostConfig.Memory, HostConfig.MemorySwap, HostConfig.NanoCpus, HostConfig.PidsLimit];
    };
    expect(await limitsOf(opened.containerId)).toEqual([64 * 1024 ** 2, 64 * 1024 ** 2, 5e8, 100]);
    expect(await limitsOf(web?.Id ?? "")).toEqual([128 * 1024 ** 2, 128 * 1024 ** 2, 5e8, 100]);
  });

  test.each([
    ["services: { main: { privileged: true } }", "services.main.privileged"],
    ["services: { main: { cap_add: [SYS_ADMIN] } }", "services.main.cap_add"],
    ["services: { main: { network_mode: host } }", "services.main.network_mode"],
    ["services: { main: { network_mode: 'container:abc' } }", "services.main.network_mode"],
    ["services: { main: { pid: host } }", "services.main.pid"],
    ["services: { main: { ipc: host } }", "services.main.ipc"],
    ["services: { main: { devices: [/dev/kmsg:/dev/kmsg] } }", "services.main.devices"],
    ["services: { main: { security_opt: ['seccomp:unconfined'] } }", "services.main.security_opt"],
    ["services: { main: { volumes: ['/var/run/docker.sock:/s'] } }", "services.main.volumes[0]"],
    ["services: { main: { volumes: ['/:/host:ro'] } }", "services.main.volumes[0]"],
    ["services: { main: { volumes: ['../..:/up:ro'] } }", "services.main.volumes[0]"],
    ["services: { main: { volumes: ['.:/w'] } }", "make it read-only"],
    ["services: { main: { volumes: ['~/.ssh:/w:ro'] } }", "services.main.volumes[0]"],
    ["services: { main: { build: /etc } }", "services.main.build.context"],
    ["services: { main: { build: 'https://example.com/x.git' } }", "services.main.build.context"],
    ["services: { main: { build: { context: ., dockerfile: ../../x } } }", "services.main.build.dockerfile"],
    ["services: { main: { build: { context: ., network: host } } }", "services.main.build.network"],
    ["services: { main: { build: { context: ., ssh: [default] } } }", "services.main.build.ssh"],
    ["services: { main: { use_api_socket: true } }", "services.main.use_api_socket"],
    ["services: { main: {}, m: { provider: { type: sh } } }", "services.m.provider"],
    [
      "services: { main: { volumes: ['data:/d'] } }\nvolumes: { data: { driver_opts: { type: none, o: bind, device: / } } }",
      "volumes.data.driver_opts",
    ],
    [
      "services: { main: { volumes: ['data:/d'] } }\nvolumes: { data: { external: true } }",
      "volumes.data.external",
    ],
    ["services: { main: { networks: [n] } }\nnetworks: { n: { external: true } }", "networks.n.external"],
    ["services: { main: { networks: [n] } }\nnetworks: { n: { driver: macvlan } }", "networks.n.driver"],
    ["services: { main: { secrets: [s] } }\nsecrets: { s: { file: /etc/shadow } }", "secrets.s.file"],
    ["services: { main: { secrets: [s] } }\nsecrets: { s: { environment: HOME } }", "secrets.s.environment"],
    [
      "services: { main: { deploy: { resources: { reservations: { devices: [{ capabilities: [gpu] }] } } } } }",
      "services.main.deploy.resources.reservations.devices",
    ],
  ])("%s is refused by name", async (compose, key) => {
    await expect(up({ compose })).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining(key),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  test("what does not come up is a failure of the sandbox that says why, and leaves nothing", async () => {
    const compose = `services: { db: { image: "${baseImage}", command: [sh, -c, "echo no disk; exit 3"] } }`;
    await expect(up({ compose })).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringMatching(/exited \(3\)[\s\S]*no disk/),
    });
    await expect(up({ compose: "services: { main: { colour: red } }" })).rejects.toMatchObject({
      code: "invalid-task",
      message: expect.stringContaining("colour"),
    });
    const never = { Dockerfile: `FROM ${baseImage}\nRUN sleep 1000\n` };
    const building = "services: { db: { build: . } }";
    await expect(up({ compose: building, files: never, buildTimeoutSec: 3 })).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringContaining("longer than 3 s"),
    });
    expect(await left()).toBe(0);
    expect(await readdir(dir)).toEqual([]);
  });

  async function run({ containerId }: ComposedSandbox, service: string, script: string): Promise<string> {
    const { Config } = await docker.getContainer(containerId).inspect();
    const project = Config.Labels["com.docker.compose.project"];
    const label = [`com.docker.compose.project=${project}`, `com.docker.compose.service=${service}`];
    const [container] = await docker.listContainers({ filters: { label } });
    const options = { Cmd: ["bash", "-c", script], AttachStdout: true, Tty: true };
    const exec = await docker.getContainer(container?.Id ?? "").exec(options);
    return (await buffer(await exec.start({ Tty: true }))).toString().trim();
  }
});
