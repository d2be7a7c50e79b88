import { ServiceQuotasClient } from "@aws-sdk/client-service-quotas";
import { type AwsOptions, clientSettings } from "./options.ts";

export function serviceQuotasClient(options?: AwsOptions): ServiceQuotasClient {
  return new ServiceQuotasClient(clientSettings(options));
}
