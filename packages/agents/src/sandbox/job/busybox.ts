import { spawnSync } from "node:child_process";

/**
 * Whether this busybox's shell finds all tools in itself, by its open program, whatever becomes of any file: that of
 * Debian's package busybox-static does, that of its package busybox does not.
 */
export function bringsItsTools(path: string): boolean {
  const { stdout, status } = spawnSync(path, ["sh", "-c", "command -v cat"], { env: {}, encoding: "utf8" });
  return status === 0 && stdout === "cat\n";
}
