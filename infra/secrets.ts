import { unsetSecret } from "@tracemill/aws/secrets.ts";
import { RemovalPolicy, SecretValue } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import { secretPrefix } from "./permissions.ts";
import type { Stage } from "./stage-file.ts";

/** The production API's token. */
export const productionToken = "PROD_API_TOKEN";

/**
 * One secret a value, made with the placeholder `unset`: the value is put in later, by
 * `aws secretsmanager put-secret-value`, and never passes through a template. Another deployment leaves it alone.
 */
export function secrets(scope: Construct, stage: Stage): void {
  for (const name of new Set([productionToken, ...stage.settings.secrets])) {
    new Secret(scope, `Secret${name}`, {
      secretName: `${secretPrefix(stage)}${name}`,
      description: `Tracemill, stage ${stage.name}: ${name}`,
      secretStringValue: SecretValue.unsafePlainText(unsetSecret),
      removalPolicy: stage.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }
}
