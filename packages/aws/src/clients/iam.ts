import { IAMClient } from "@aws-sdk/client-iam";
import { type AwsOptions, clientSettings } from "./options.ts";

export function iamClient(options?: AwsOptions): IAMClient {
  return new IAMClient(clientSettings(options));
}
