import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keptLayers, removeKeptLayer } from "@tracemill/agents/sandbox/docker/janitor.ts";
import { type DockerOptions, dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import type { SandboxNetwork, SandboxProvider, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { afterAll, describe, inject } from "vitest";
import { dockerAt } from "../emulators/docker-engine.ts";
import { testImage } from "../emulators/docker-test-image.ts";
import { dockerFaults } from "./docker-faults.ts";
import { type OpenSandbox, specOf } from "./open-sandbox.ts";
import { sandboxContract } from "./sandbox.ts";
import { sandboxChanges } from "./sandbox-changes.ts";
import { sandboxDoors } from "./sandbox-doors.ts";
import { contractLayers } from "./sandbox-layers.ts";
import { sandboxLimits } from "./sandbox-limits.ts";
import { sandboxVerdicts } from "./sandbox-verdict.ts";

const engine = inject("docker");
const host = "host" in engine ? engine.host : "unix:///none";
const docker = dockerAt(host);
const found = "missing" in engine ? engine : await testImage(docker);
const image = "image" in found ? found.image : "none";
const skip = "missing" in found ? found.missing : undefined;
const why = skip === undefined ? "" : ` (skipped: ${skip})`;

const home = await mkdtemp(join(tmpdir(), "tracemill-docker-"));
const options: DockerOptions = {
  docker,
  owner: processOwner(Date.now()),
  dir: home,
  logDir: join(home, "logs"),
  baseImage: image,
};

/** Root beside its engine reaches files and networks without it, everybody else through it. */
const direct = onTestImage(dockerSandboxes(options));
const archives = onTestImage(dockerSandboxes({ ...options, files: "archives", doors: "relay" }));

afterAll(async () => {
  await Promise.all([direct.close(), archives.close()]);
  const layers = skip === undefined ? await keptLayers(docker) : [];
  for (const layer of layers) if (layer.id.startsWith(contractLayers)) await removeKeptLayer(docker, layer);
  rmSync(home, { recursive: true, force: true });
});

/** Dockerfiles of the contract start from names that stand for any base. */
function onTestImage(provider: SandboxProvider): SandboxProvider {
  const create = ({ environment, ...spec }: SandboxSpec) => {
    const dockerfile = environment.dockerfile?.replace(/^FROM .*$/m, `FROM ${image}`);
    return provider.create({
      ...spec,
      environment: { ...environment, ...(dockerfile === undefined ? {} : { dockerfile }) },
    });
  };
  return { ...provider, create };
}

const isRoot = process.geteuid?.() === 0;
const networks: readonly SandboxNetwork[] = ["none", "host", ...(isRoot ? [{ allow: ["example.com"] }] : [])];
sandboxContract("docker", { provider: () => direct, commands: true, networks, skip });
sandboxContract("docker, files by archives", { provider: () => archives, commands: false, skip });

const openWith =
  (provider: SandboxProvider): OpenSandbox =>
  async (spec = {}) => {
    const sandbox = await provider.create(specOf(spec));
    return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.close() });
  };

describe.skipIf(skip !== undefined)(`docker, files by archives and doors by a relay${why}`, () => {
  sandboxChanges(openWith(archives));
  sandboxDoors(openWith(archives), networks);
});

describe.skipIf(skip !== undefined)(`docker${why}`, () => {
  const open = openWith(direct);
  sandboxLimits(open, true);
  sandboxVerdicts(open);
  dockerFaults({ docker, image, socket: new URL(host).pathname, options, open });
});
