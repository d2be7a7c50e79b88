import { ECRClient } from "@aws-sdk/client-ecr";
import { type AwsOptions, clientSettings } from "./options.ts";

export function ecrClient(options?: AwsOptions): ECRClient {
  return new ECRClient(clientSettings(options));
}
