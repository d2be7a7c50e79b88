import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { motoRequirement } from "../moto.ts";
import { startServer } from "../server-process.ts";
import { pythonVenv } from "../venv.ts";
import { type Control, peerControl } from "./control.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));

export interface PeerOptions {
  /** What jobs run, by a glob of their image: the image's entry point on this machine. */
  programs?: Program[];
  /** The same for the containers beside a job's own. */
  sidecars?: Program[];
  /** Jobs that run at once. */
  jobsAtOnce?: number;
  /** Seconds between SIGTERM and SIGKILL; ECS gives 30. */
  stopGraceSeconds?: number;
}

export interface Program {
  image: string;
  command: string[];
  cwd?: string;
  env?: Record<string, string>;
}

export interface Peer {
  /** For example `http://127.0.0.1:41234`; the region is `us-east-1`, the account 123456789012. */
  endpoint: string;
  control: Control;
  /** Variables with which the SDKs, the CLI and CDK work against the peer. */
  env: Record<string, string>;
  close(): Promise<void>;
}

/** Emulated AWS, empty, in which functions, jobs and state machines run. Ends with the test, and all of it with it. */
export async function startPeer(options: PeerOptions = {}): Promise<Peer> {
  const { python } = await pythonVenv([motoRequirement]);
  const workDir = await mkdtemp(join(tmpdir(), "tracemill-peer-"));
  const host = await startLambdaHost();
  const settings = JSON.stringify({ ...options, workDir, lambdaHost: host.url });
  const server = await startServer({
    command: python,
    args: (port) => [join(folder, "server.py"), "127.0.0.1", String(port)],
    env: { PEER_SETTINGS: settings, PYTHONDONTWRITEBYTECODE: "1" },
    health: "/_peer/health",
  });
  const control = peerControl(server.endpoint);
  return {
    endpoint: server.endpoint,
    control,
    env: {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_REGION: "us-east-1",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "testing",
      AWS_SECRET_ACCESS_KEY: "testing",
      AWS_SESSION_TOKEN: "testing",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    close: async () => {
      await control.shutdown();
      await server.close();
      await host.close();
      await rm(workDir, { recursive: true, force: true });
    },
  };
}

async function startLambdaHost(): Promise<{ url: string; close(): Promise<void> }> {
  // Nothing of the tester's own environment is to reach a handler.
  const child = spawn(process.execPath, [join(folder, "lambda-host.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {},
  });
  const url = `http://127.0.0.1:${await firstLine(child)}`;
  const close = async () => {
    child.stdin?.end();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  return { url, close };
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error("the Lambda host has no output");
  for await (const line of createInterface({ input: stdout })) return line;
  throw new Error("the Lambda host ended before it listened");
}
