import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface ServerProcess {
  /** For example `http://127.0.0.1:41234`. */
  endpoint: string;
  close(): Promise<void>;
}

export interface ServerCommand {
  command: string;
  /** Arguments, once the port is known. */
  args: (port: number) => string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Path that answers below 500 as soon as the server is up. */
  health: string;
}

/** JVMs and Python imports on a busy machine with two cores. */
const patienceMs = 60_000;

/** Starts the server and kills it when its standard input ends: also when this process is killed. */
const untilInputEnds = `exec 3<&0
"$@" < /dev/null 3<&- &
server=$!
{ cat <&3 > /dev/null; kill -9 $server; } > /dev/null 2>&1 &
wait $server`;

/** Starts a server program on a free port of 127.0.0.1. @throws with its last output when it does not come up. */
export async function startServer(server: ServerCommand): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await freePort(), server);
    } catch (error) {
      // Somebody else may have taken the port since it was found free.
      if (attempt === 3) throw error;
    }
  }
}

async function startOn(port: number, { command, args, cwd, env, health }: ServerCommand) {
  const child = spawn("/bin/sh", ["-c", untilInputEnds, "sh", command, ...args(port)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  const output = tailOf(child.stdout, child.stderr);
  const endpoint = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    child.stdin.destroy();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  };
  const deadline = Date.now() + patienceMs;
  while (!(await answers(endpoint + health))) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    await close();
    throw new Error(`${command} did not come up on port ${port}:\n${output()}`);
  }
  return { endpoint, close };
}

async function answers(url: string): Promise<boolean> {
  const signal = AbortSignal.timeout(2_000);
  const status = await fetch(url, { signal }).then(
    (response) => response.status,
    () => 599,
  );
  if (status >= 500) await sleep(50);
  return status < 500;
}

/** Reads the streams, so that the server never blocks on them, and keeps the last 4,000 characters. */
function tailOf(...streams: NodeJS.ReadableStream[]): () => string {
  let tail = "";
  for (const stream of streams) {
    stream.on("data", (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-4_000);
    });
  }
  return () => tail;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
