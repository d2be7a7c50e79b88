import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { timeId } from "@tracemill/core/ids.ts";
import type { Owner } from "@tracemill/core/trial/deps.ts";

/**
 * This process as an owner of leases. The id says host, boot, the space in which pids count (containers have their
 * own), pid and start time, so that another process on this machine knows for certain when it is gone, also after
 * its pid was given to somebody else.
 */
export function processOwner(now: number): Owner {
  const place = { host: hostname(), boot: bootId(), space: pidSpace() };
  const started = startTime(process.pid) ?? "?";
  const id = [place.host, place.boot, place.space, process.pid, started, timeId("own", now)].join("/");
  return { id, isGone: (ownerId) => isGone(ownerId, place) };
}

interface Place {
  host: string;
  boot: string;
  space: string;
}

function isGone(ownerId: string, here: Place): boolean {
  const [host, boot, space, pid, started] = ownerId.split("/");
  if (host !== here.host || started === undefined) return false;
  if (boot !== here.boot) return true;
  if (space !== here.space) return false;
  if (started === "?") return !isAlive(Number(pid));
  return startTime(Number(pid)) !== started;
}

/** Changes with every boot. Empty where the system has none. */
function bootId(): string {
  return readOr("/proc/sys/kernel/random/boot_id", "").trim();
}

/** Names this process's pid namespace. Empty where the system has none. */
function pidSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
  } catch {
    return "";
  }
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
