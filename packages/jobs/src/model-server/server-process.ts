import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { LineTail } from "./line-tail.ts";

/** Lines of a server's log that are kept for its failure. */
const keptLines = 200;

/** Time for a server to end by itself. */
const stopMs = 5_000;

/** A model's server, started as a group of processes of its own: it may have workers, one a GPU. */
export interface ServerProcess {
  readonly log: LineTail;
  /** Resolves when its first process has ended, with the reason in words. */
  readonly ended: Promise<string>;
  /** True until then. */
  isAlive(): boolean;
  /** Ends the whole group. */
  stop(): Promise<void>;
}

/** @param command an argv; no shell reads it. */
export function startServerProcess(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServerProcess {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...env } });
  const log = new LineTail(keptLines);
  log.follow(child.stdout);
  log.follow(child.stderr);
  let reason: string | undefined;
  const ended = new Promise<string>((resolve) => {
    const end = (words: string): void => {
      reason ??= words;
      resolve(reason);
    };
    child.on("error", (error) => end(`it could not be started: ${error.message}`));
    child.on("exit", (code, signal) =>
      end(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`),
    );
  });
  return {
    log,
    ended,
    isAlive: () => reason === undefined,
    stop: async () => {
      signalGroup(child.pid, "SIGTERM");
      await Promise.race([ended, sleep(stopMs, undefined, { ref: false })]);
      // Its workers as well, which may outlive it.
      signalGroup(child.pid, "SIGKILL");
      await ended;
    },
  };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** A port of 127.0.0.1 that nobody listens on: the preferred one where that is so. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer().listen(preferred, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  }
  const address = server.address();
  server.close();
  await once(server, "close");
  return address === null || typeof address === "string" ? 0 : address.port;
}
