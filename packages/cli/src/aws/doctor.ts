import { stsClient } from "@tracemill/aws/clients/sts.ts";
import { checked } from "@tracemill/aws/control/doctor/check.ts";
import { identityCheck } from "@tracemill/aws/control/doctor/identity.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { CliContext, CloudHome, Place } from "../context.ts";

/** Everything about a stage, from the credentials on; what comes after a check that fails is left out. */
export async function doctorAws(
  place: Place,
  { openCloud }: Pick<CliContext, "openCloud">,
): Promise<DoctorCheck[]> {
  const region = place.region === undefined ? {} : { region: place.region };
  // Two attempts: without a network this would otherwise say nothing for half a minute.
  const identity = await identityCheck(stsClient({ ...region, maxAttempts: 2 }));
  if (identity.some(({ status }) => status === "missing")) return identity;
  let cloud: CloudHome | undefined;
  const stack = await checked(`stage ${place.stage}`, async () => {
    cloud = await openCloud(place);
    const { bucket, table } = cloud.stack;
    return { name: `stage ${place.stage}`, status: "ok", detail: `bucket ${bucket}, table ${table}` };
  });
  if (cloud === undefined)
    return [...identity, ...stack.map((check) => ({ ...check, status: "missing" as const }))];
  try {
    return [...identity, ...stack, ...(await cloud.checks.all())];
  } finally {
    await cloud.close();
  }
}
