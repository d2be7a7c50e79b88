import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { labelsOf, ownerLabel } from "@tracemill/agents/sandbox/docker/labels.ts";
import { NetworkPool } from "@tracemill/agents/sandbox/docker/network-pool.ts";
import { dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import type { Sandbox, SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { afterAll, describe, expect, inject, test } from "vitest";
import { baseImage, dockerAt } from "../emulators/docker-engine.ts";
import { specOf } from "./open-sandbox.ts";

const engine = inject("docker");
const why = "missing" in engine ? ` (skipped: ${engine.missing})` : "";

describe.skipIf("missing" in engine)(`networks of Docker sandboxes${why}`, async () => {
  const docker = dockerAt("host" in engine ? engine.host : "unix:///none");
  const home = await mkdtemp(join(tmpdir(), "tracemill-networks-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  interface World extends AsyncDisposable {
    owner: string;
    open(dockerfile?: string): Promise<Sandbox>;
    /** Closes a sandbox, and waits until its network may be had again, which takes some 20 ms. */
    end(sandbox: Sandbox): Promise<void>;
  }

  /** @param base what holds networks for everybody. */
  function world(base = baseImage): World {
    const owner = processOwner(Date.now());
    const provider: SandboxProvider = dockerSandboxes({
      ...{ docker, owner, dir: home, logDir: join(home, "logs"), baseImage: base },
    });
    const open = (dockerfile?: string) => {
      const environment = dockerfile === undefined ? { image: baseImage } : { dockerfile };
      return provider.create(specOf({ network: "host", label: `sandbox of ${owner.id}`, environment }));
    };
    const end = async (sandbox: Sandbox) => {
      await sandbox.close();
      await sleep(1_000);
    };
    return { owner: owner.id, open, end, [Symbol.asyncDispose]: async () => provider.close?.() };
  }

  async function containersOf(owner: string): Promise<{ id: string; label: string }[]> {
    const filters = { label: [`${ownerLabel}=${owner}`] };
    const found = await docker.listContainers({ all: true, filters });
    return found.map(({ Id, Labels }) => ({ id: Id, label: Labels["dev.tracemill.label"] ?? "" }));
  }

  async function holdersOf(owner: string): Promise<string[]> {
    return (await containersOf(owner)).filter(({ label }) => label === "network").map(({ id }) => id);
  }

  async function run(sandbox: Sandbox, script: string): Promise<string> {
    const { stdout, stderr } = await sandbox.exec(["/bin/sh", "-c", script], { cwd: "/" });
    return stdout + stderr;
  }

  const look = "cd /etc; cat hosts hostname resolv.conf; stat -c '%a %u:%g %n' hosts hostname resolv.conf";

  test("a sandbox that changes the files of its network changes nothing for the next one", async () => {
    await using all = world();
    const first = await all.open();
    const before = await run(first, look);
    await run(
      first,
      "cd /etc; for file in hosts hostname resolv.conf; do echo 6.6.6.6 evil > $file; chown 33:33 $file; chmod 000 $file; done",
    );
    expect(await run(first, look)).toContain("6.6.6.6 evil");
    await all.end(first);
    const [holder] = await holdersOf(all.owner);
    const second = await all.open();
    expect(await run(second, look)).toBe(before);
    expect(await holdersOf(all.owner)).toEqual([holder]);
    await second.close();
  });

  test("a network whose holder was killed is not lent again", async () => {
    await using all = world();
    await all.end(await all.open());
    const [holder = ""] = await holdersOf(all.owner);
    await docker.getContainer(holder).kill();
    const next = await all.open();
    expect(await run(next, "cat /etc/hostname")).toBe("sandbox\n");
    expect(await holdersOf(all.owner)).not.toContain(holder);
    await next.close();
  });

  test("a holder that is killed under its sandbox keeps nobody waiting", async () => {
    const all = world();
    const sandbox = await all.open();
    const [holder = ""] = await holdersOf(all.owner);
    await docker.getContainer(holder).kill();
    expect(await run(sandbox, "echo goes on")).toBe("goes on\n");
    await sandbox.close();
    await all[Symbol.asyncDispose]();
    expect(await containersOf(all.owner)).toEqual([]);
  });

  test("a network is not lent again when its sandbox may still run", async () => {
    const owner = processOwner(Date.now()).id;
    const log = () => undefined;
    const pool = new NetworkPool({ docker, labels: labelsOf(owner, "network"), baseImage, log });
    const unsure = await pool.take(baseImage, undefined);
    unsure.release({ reuse: false });
    const next = await pool.take(baseImage, undefined);
    expect(next.container).not.toBe(unsure.container);
    next.release({ reuse: true });
    await pool.close();
    expect(await containersOf(owner)).toEqual([]);
  });

  test("what a task's own image holds goes to sandboxes of that image only", async () => {
    await using all = world("tracemill-absent:none");
    const other = `FROM ${baseImage}\nLABEL other=image\n`;
    await all.end(await all.open(other));
    const [holder = ""] = await holdersOf(all.owner);
    const mine = await all.open();
    expect(await holdersOf(all.owner)).toHaveLength(2);
    await all.end(mine);
    const again = await all.open(other);
    const [{ id = "" } = {}] = (await containersOf(all.owner)).filter(({ label }) => label !== "network");
    const { HostConfig } = await docker.getContainer(id).inspect();
    expect(HostConfig.NetworkMode).toBe(`container:${holder}`);
    await again.close();
  });

  test("a closed provider leaves no container, whether networks are idle or just released", async () => {
    const all = world();
    const sandboxes = await Promise.all([all.open(), all.open(), all.open()]);
    expect(await containersOf(all.owner)).toHaveLength(6);
    await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
    await all[Symbol.asyncDispose]();
    expect(await containersOf(all.owner)).toEqual([]);
  });
});
