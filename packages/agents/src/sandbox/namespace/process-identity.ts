import { readFileSync } from "node:fs";

/** Process id and start time (ticks since boot): a process id that is used again has another start. */
export function ownIdentity(): string {
  return identityOf(process.pid) ?? `${process.pid} 0`;
}

/** Whether the process of this identity still runs. Where there is no /proc, whether its id is in use. */
export function isAlive(identity: string): boolean {
  const pid = Number.parseInt(identity, 10);
  return identity === `${pid} 0` ? isUsed(pid) : identityOf(pid) === identity;
}

function isUsed(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}
