import { SQSClient } from "@aws-sdk/client-sqs";
import { type AwsOptions, clientSettings } from "./options.ts";

export function sqsClient(options?: AwsOptions): SQSClient {
  return new SQSClient(clientSettings(options));
}
