import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DockerOptions, dockerSandboxes } from "@tracemill/agents/sandbox/docker/provider.ts";
import type { SandboxProvider, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { processOwner } from "@tracemill/local/owner.ts";
import { afterAll, describe, inject } from "vitest";
import { dockerAt } from "../emulators/docker-engine.ts";
import { testImage } from "../emulators/docker-test-image.ts";
import { dockerFaults } from "./docker-faults.ts";
import { type OpenSandbox, specOf } from "./open-sandbox.ts";
import { sandboxContract } from "./sandbox.ts";
import { sandboxChanges } from "./sandbox-changes.ts";
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

/** Root beside its engine reaches files without it, everybody else through it. */
const [direct, archives] = (["auto", "archives"] as const).map((files) =>
  onTestImage(dockerSandboxes({ ...options, files })),
);
if (direct === undefined || archives === undefined) throw new Error("two providers");

afterAll(async () => {
  await Promise.all([direct.close(), archives.close()]);
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

sandboxContract("docker", { provider: () => direct, commands: true, skip });
sandboxContract("docker, files by archives", { provider: () => archives, commands: false, skip });

const openWith =
  (provider: SandboxProvider): OpenSandbox =>
  async (spec = {}) => {
    const sandbox = await provider.create(specOf(spec));
    return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.close() });
  };

describe.skipIf(skip !== undefined)(`docker, files by archives${why}`, () => {
  sandboxChanges(openWith(archives));
});

describe.skipIf(skip !== undefined)(`docker${why}`, () => {
  const open = openWith(direct);
  sandboxLimits(open, true);
  sandboxVerdicts(open);
  dockerFaults({ docker, image, socket: new URL(host).pathname, options, open });
});
