import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { timeId } from "@tracemill/core/ids.ts";
import type { Owner } from "@tracemill/core/trial/deps.ts";

/**
 * This process as an owner of leases. The id says host, boot, pid and start time, so that another process on
 * this machine knows for certain when it is gone, also after its pid was given to somebody else.
 */
export function processOwner(now: number): Owner {
  const here = `${hostname()}/${bootId()}`;
  const own = `${here}/${process.pid}/${startTime(process.pid) ?? "?"}/${timeId("own", now)}`;
  return { id: own, isGone: (ownerId) => isGone(ownerId, here) };
}

function isGone(ownerId: string, here: string): boolean {
  const [host, boot, pid, started] = ownerId.split("/");
  if (host !== here.split("/")[0] || pid === undefined) return false;
  if (`${host}/${boot}` !== here) return true;
  if (started === "?") return !isAlive(Number(pid));
  return startTime(Number(pid)) !== started;
}

/** Changes with every boot. Empty where the system has none. */
function bootId(): string {
  return readOr("/proc/sys/kernel/random/boot_id", "").trim();
}

/** When the process was started, in clock ticks after boot; `undefined` when there is no such process. */
function startTime(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, "");
  const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = afterName;
  return state === "Z" || state === "X" ? undefined : afterName[19];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return fallback;
  }
}
