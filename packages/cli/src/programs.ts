import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";

/** Where a sandbox looks for programs. */
const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Programs of this machine that the demo's tasks and checks use inside their sandboxes. */
const wanted = ["bash", "python3", "git", "tar", "awk"];

/**
 * Whether the programs are there that the demo wants. Sandboxes start from this machine's own system, so what it
 * lacks, they lack.
 * @param status of the check when something is missing.
 */
export function demoPrograms(
  status: "missing" | "warning",
  exists: (path: string) => boolean = existsSync,
): DoctorCheck {
  const name = "programs of the demo";
  const missing = wanted.filter((program) => !folders.some((folder) => exists(join(folder, program))));
  if (missing.length === 0) return { name, status: "ok", detail: wanted.join(", ") };
  const remedy = `install ${missing.join(", ")} with this system's package manager`;
  return { name, status, detail: `not in ${folders.join(":")}: ${missing.join(", ")}`, remedy };
}
