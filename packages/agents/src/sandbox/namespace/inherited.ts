import { openSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;
let devNull: number | undefined;

/**
 * Descriptors above the standard three that a child of ours would get: those that this process was given by
 * whoever started it, or that a library opened carelessly. To a sandbox each would be a hole.
 */
export function inheritedDescriptors(): number[] {
  return readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > 2 && isInherited(fd));
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // The one that listed the folder.
    return false;
  }
}

/** What a child's `stdio` says from index 3 on, so that these descriptors are /dev/null there. */
export function shut(descriptors: readonly number[]): (number | "ignore")[] {
  if (descriptors.length === 0) return [];
  devNull ??= openSync("/dev/null", "r+");
  const stdio = Array.from<number | "ignore">({ length: Math.max(...descriptors) - 2 }).fill("ignore");
  for (const fd of descriptors) stdio[fd - 3] = devNull;
  return stdio;
}
