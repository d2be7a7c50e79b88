import { SFNClient } from "@aws-sdk/client-sfn";
import { type AwsOptions, clientSettings } from "./options.ts";

export function sfnClient(options?: AwsOptions): SFNClient {
  return new SFNClient(clientSettings(options));
}
