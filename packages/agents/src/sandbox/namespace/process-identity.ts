import { readFileSync } from "node:fs";

/** Process id and start time (ticks since boot): a process id that is used again has another start. */
export function ownIdentity(): string {
  return identityOf(process.pid) ?? `${process.pid} 0`;
}

/** Whether the process of this identity still runs. */
export function isAlive(identity: string): boolean {
  return identityOf(Number.parseInt(identity, 10)) === identity;
}

function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}
