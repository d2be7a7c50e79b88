import { STSClient } from "@aws-sdk/client-sts";
import { type AwsOptions, clientSettings } from "./options.ts";

export function stsClient(options?: AwsOptions): STSClient {
  return new STSClient(clientSettings(options));
}
