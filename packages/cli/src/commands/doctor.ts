import { statfs } from "node:fs/promises";
import { messageOf } from "@tracemill/core/errors.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { openSandboxes, requireWritable } from "../deps.ts";
import { demoPrograms } from "../programs.ts";

const marks = { ok: "ok     ", missing: "missing", warning: "warning" } as const;
const wantedFreeBytes = 2 * 1024 ** 3;

export function doctorCommand(context: CliContext): Command {
  return new Command("doctor")
    .description("say what this machine has, what is missing, and how to get it")
    .option("--json", "one JSON line a check")
    .addHelpText(
      "after",
      "\nExample:\n  tracemill doctor\n\nExits with 1 when something that a run needs is missing.",
    )
    .action(async () => {
      const sandboxes = await openSandboxes(context.home).doctor();
      const checks = [...(await homeChecks(context.home)), ...sandboxes, demoPrograms("warning")];
      for (const check of checks) {
        context.out.event(check);
        context.out.text(`${marks[check.status]}  ${check.name}: ${check.detail}`);
        if (check.remedy !== undefined) context.out.text(`         → ${check.remedy}`);
      }
      if (checks.some((check) => check.status === "missing")) context.exitCode = 1;
    });
}

async function homeChecks(home: string): Promise<DoctorCheck[]> {
  const node: DoctorCheck = { name: "node", status: "ok", detail: process.versions.node };
  try {
    await requireWritable(home);
    const { bavail, bsize } = await statfs(home);
    const free = bavail * bsize;
    const detail = `${home}, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
    if (free >= wantedFreeBytes) return [node, { name: "home", status: "ok", detail }];
    const remedy = "free some space, or set TRACEMILL_HOME to a folder on a larger disk";
    return [node, { name: "home", status: "warning", detail, remedy }];
  } catch (error) {
    return [node, { name: "home", status: "missing", detail: messageOf(error) }];
  }
}
