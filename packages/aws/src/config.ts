/** What the adapters take from the environment; everything else in it (region, credentials) is the SDK's own matter. */
export interface AwsEnvironment {
  /** `AWS_ENDPOINT_URL`: an emulator, or a private endpoint. */
  endpoint: string | undefined;
}

export function awsEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): AwsEnvironment {
  return { endpoint: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL };
}
