import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Peer, startPeer } from "../emulators/peer/start.ts";

const run = promisify(execFile);

export const repository = resolve(import.meta.dirname, "../..");

/** An emulated cloud with a stage in it. Plain data, so that it can be given to test files. */
export interface DeployedCloud {
  endpoint: string;
  /** Variables with which the SDKs and `tracemill` reach it. */
  env: Record<string, string>;
  stage: string;
  /** The template that was deployed. */
  template: string;
}

/** `infra/stages/ci.yaml` names this image; its entry point is what the worker's Dockerfile says. */
const worker = {
  image: "public.ecr.aws/docker/library/node:24-bookworm-slim",
  command: [process.execPath, join(repository, "packages/jobs/src/main.ts")],
  cwd: repository,
};

const stage = "ci";

/** Starts the emulated cloud and deploys the stage `ci` into it with plain CDK. */
export async function deployCloud(): Promise<{ cloud: DeployedCloud; close(): Promise<void> }> {
  const peer = await startPeer({ programs: [worker], jobsAtOnce: 3, stopGraceSeconds: 30 });
  const output = await mkdtemp(join(tmpdir(), "tracemill-cdk-"));
  const close = async () => {
    await peer.close();
    await rm(output, { recursive: true, force: true });
  };
  try {
    const synthesized = join(output, "cdk.out");
    await Promise.all([
      cdk(peer, ["bootstrap", "aws://123456789012/us-east-1", "-o", join(output, "bootstrap")]),
      cdk(peer, ["synth", "--quiet", "-o", synthesized]),
    ]);
    await cdk(peer, ["deploy", "-a", synthesized, "--require-approval", "never"]);
    const template = join(synthesized, "tracemill-ci.template.json");
    return { cloud: { endpoint: peer.endpoint, env: peer.env, stage, template }, close };
  } catch (error) {
    const log = await peer.control.log();
    await close();
    throw new Error(`the stage could not be deployed; the emulator says:\n${log}`, { cause: error });
  }
}

async function cdk(peer: Peer, args: readonly string[]): Promise<void> {
  await program(peer, "aws-cdk/bin/cdk", [...args, "-c", `stage=${stage}`]);
}

/** Deploys the stage by its front door, SST. */
export async function sstDeploy(peer: Peer): Promise<void> {
  await program(peer, "sst/cli/sst.js", ["deploy", "--stage", stage]);
}

async function program(peer: Peer, name: string, args: readonly string[]): Promise<void> {
  const { PATH = "", HOME = "" } = process.env;
  const env = {
    ...peer.env,
    PATH: `${join(repository, "node_modules/.bin")}:${PATH}`,
    HOME,
    CI: "1",
    npm_config_yes: "true",
    CDK_DISABLE_CLI_TELEMETRY: "true",
    SST_TELEMETRY_DISABLED: "1",
  };
  const options = { cwd: repository, env, maxBuffer: 64 * 1024 * 1024 };
  await run(process.execPath, [join(repository, "node_modules", name), ...args], options);
}
