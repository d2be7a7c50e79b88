import { BatchClient } from "@aws-sdk/client-batch";
import { type AwsOptions, clientSettings } from "./options.ts";

export function batchClient(options?: AwsOptions): BatchClient {
  return new BatchClient(clientSettings(options));
}
