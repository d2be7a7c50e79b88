import { SSMClient } from "@aws-sdk/client-ssm";
import { type AwsOptions, clientSettings } from "./options.ts";

export function ssmClient(options?: AwsOptions): SSMClient {
  return new SSMClient(clientSettings(options));
}
