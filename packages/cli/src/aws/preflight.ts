import { TracemillError } from "@tracemill/core/errors.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { type RunSpec, requireOnAws } from "@tracemill/core/run/spec.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { needsOf } from "./spec-needs.ts";

/**
 * A spec as it goes to AWS: what this machine's variables would have filled in, filled in.
 * @throws TracemillError `invalid-spec` when `source` has no address, or its sandbox is none of AWS.
 */
export function specForCloud(spec: RunSpec, { config }: Pick<CliContext, "config">): RunSpec {
  requireOnAws(spec, "this spec");
  if (spec.source === undefined || spec.source.baseUrl !== undefined) return spec;
  if (config.prodBaseUrl === undefined) {
    const message =
      "`source` wants the production API's address: give `source.baseUrl`, or set TRACEMILL_PROD_BASE_URL";
    throw new TracemillError("invalid-spec", message);
  }
  return { ...spec, source: { ...spec.source, baseUrl: config.prodBaseUrl } };
}

/** Everything that can be known to go wrong before anything is started, with what mends it. */
export async function preflight(
  spec: RunSpec,
  cloud: CloudHome,
  context: CliContext,
): Promise<{ checks: DoctorCheck[]; trials: number; shards: number }> {
  const { kinds, secrets, checks, trials, shards } = await needsOf(spec, cloud, context);
  // Kinds that the stage lacks are complained about already.
  const there = kinds.filter((kind) => cloud.stack.jobs[kind] !== undefined);
  const stage = await cloud.checks.beforeRun({ kinds: there, secrets });
  return { checks: [...checks, ...stage], trials, shards };
}

/**
 * Says what is doubtful.
 * @throws TracemillError `invalid-spec` with all that is missing, a line each.
 */
export function requireChecks(checks: readonly DoctorCheck[], stage: string, context: CliContext): void {
  for (const check of checks.filter(({ status }) => status === "warning"))
    context.out.note(`note: ${checkLine(check)}`);
  const missing = checks.filter(({ status }) => status === "missing");
  if (missing.length === 0) return;
  const lines = missing.map((check) => `  ${checkLine(check)}`);
  throw new TracemillError(
    "invalid-spec",
    `stage ${stage} cannot run this yet; nothing was started:\n${lines.join("\n")}`,
    { context: { checks: missing } },
  );
}

function checkLine({ name, detail, remedy }: DoctorCheck): string {
  return `${name}: ${detail}${remedy === undefined ? "" : `\n    → ${remedy}`}`;
}
