import { TracemillError } from "@tracemill/core/errors.ts";

/**
 * The region to deploy to. SST takes none from the credentials' profile, and would go on without one.
 * @param given by `--region`.
 * @throws TracemillError `invalid-input`.
 */
export function deployRegion(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const region = given ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  if (region) return region;
  throw new TracemillError("invalid-input", "no region: say `--region NAME`, or set AWS_REGION");
}
