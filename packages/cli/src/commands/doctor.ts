import { statfs } from "node:fs/promises";
import { messageOf } from "@tracemill/core/errors.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { Command } from "commander";
import { isOnAws, type PlaceOptions, placeOf, withStage } from "../aws/place.ts";
import type { CliContext } from "../context.ts";
import { openSandboxes, requireWritable } from "../deps.ts";
import { demoPrograms } from "../programs.ts";

const marks = { ok: "ok     ", missing: "missing", warning: "warning" } as const;
const wantedFreeBytes = 2 * 1024 ** 3;

export function doctorCommand(context: CliContext): Command {
  return withStage(new Command("doctor"))
    .description("say what this machine, or a stage on AWS, has, what is missing, and how to get it")
    .option("--aws", "check a deployed stage and the account: identity, permissions, quotas, queues, images")
    .option("--json", "one JSON line a check")
    .addHelpText(
      "after",
      "\nExamples:\n  tracemill doctor\n  tracemill doctor --aws --stage prod\n\nExits with 1 when something that a run needs is missing.",
    )
    .action(async (options: PlaceOptions & { aws?: boolean }) => {
      const isAws = options.aws === true || isOnAws(options, context);
      const checks = isAws ? await awsChecks(options, context) : await machineChecks(context);
      for (const check of checks) {
        context.out.event(check);
        context.out.text(`${marks[check.status]}  ${check.name}: ${check.detail}`);
        if (check.remedy !== undefined) context.out.text(`         → ${check.remedy}`);
      }
      if (checks.some((check) => check.status === "missing")) context.exitCode = 1;
    });
}

async function machineChecks(context: CliContext): Promise<DoctorCheck[]> {
  const [namespaces, docker] = await Promise.all(
    (["namespace", "docker"] as const).map(async (name) => (await openSandboxes(name, context)).doctor()),
  );
  const sandboxes = oneIsEnough(namespaces ?? [], docker ?? []);
  return [...(await homeChecks(context.home)), ...sandboxes, demoPrograms("warning")];
}

/** What one kind of sandbox lacks is no fault of a machine that has the other. */
export function oneIsEnough(first: readonly DoctorCheck[], second: readonly DoctorCheck[]): DoctorCheck[] {
  const works = (checks: readonly DoctorCheck[]): boolean =>
    checks.every(({ status }) => status !== "missing");
  const eased = (checks: readonly DoctorCheck[], other: readonly DoctorCheck[]): DoctorCheck[] =>
    checks.map((check) =>
      check.status === "missing" && works(other) ? { ...check, status: "warning" } : check,
    );
  return [...eased(first, second), ...eased(second, first)];
}

async function awsChecks(options: PlaceOptions, context: CliContext): Promise<DoctorCheck[]> {
  const { doctorAws } = await import("../aws/doctor.ts");
  return doctorAws(placeOf(options, context), context);
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
