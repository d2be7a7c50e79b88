import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { type AwsOptions, clientSettings } from "./options.ts";

export function cloudwatchLogsClient(options?: AwsOptions): CloudWatchLogsClient {
  return new CloudWatchLogsClient(clientSettings(options));
}
