import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { type AwsOptions, clientSettings } from "./options.ts";

export function cloudformationClient(options?: AwsOptions): CloudFormationClient {
  return new CloudFormationClient(clientSettings(options));
}
