import { EventBridgeClient } from "@aws-sdk/client-eventbridge";
import { type AwsOptions, clientSettings } from "./options.ts";

export function eventbridgeClient(options?: AwsOptions): EventBridgeClient {
  return new EventBridgeClient(clientSettings(options));
}
