import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { callEngine } from "./engine.ts";

/** Time between two looks: at least this, and ten times as long as a look takes, which goes through every file. */
const leastMs = 5_000;
const timesLook = 10;

export interface DiskWatch {
  /** Aborted, with a `sandbox-failed`, once the container was killed. */
  readonly ended: AbortSignal;
  stop(): void;
}

/**
 * Kills a container that has written more than it may. Most engines cannot hold a container to a size themselves; what is
 * written between two looks may go beyond.
 */
export function watchDisk(container: Docker.Container, maxBytes: number): DiskWatch {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const later = (ms: number): void => {
    if (!stopped) timer = setTimeout(() => void look(), ms).unref();
  };
  const look = async (): Promise<void> => {
    const startedAt = performance.now();
    const size = await sizeOf(container);
    if (stopped || size === undefined) return;
    if (size <= maxBytes) return later(Math.max(leastMs, timesLook * (performance.now() - startedAt)));
    over.abort(tooMuch(maxBytes));
    await container.kill().catch(() => undefined);
  };
  later(leastMs);
  return {
    ended: over.signal,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function tooMuch(maxBytes: number): TracemillError {
  return new TracemillError(
    "sandbox-failed",
    `the sandbox was ended: it wrote more than ${maxBytes} bytes to its disk (\`storage_mb\` of the task)`,
  );
}

/** The types of the client library leave it out. */
const withSize: object = { size: true };

/** Bytes that a container has written; `undefined` when nobody can tell. */
async function sizeOf(container: Docker.Container): Promise<number | undefined> {
  try {
    const found = await callEngine("measuring a container", () => container.inspect(withSize));
    return (found as { SizeRw?: number }).SizeRw ?? 0;
  } catch {
    return undefined;
  }
}
