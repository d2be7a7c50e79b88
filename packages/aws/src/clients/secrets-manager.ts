import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { type AwsOptions, clientSettings } from "./options.ts";

export function secretsManagerClient(options?: AwsOptions): SecretsManagerClient {
  return new SecretsManagerClient(clientSettings(options));
}
