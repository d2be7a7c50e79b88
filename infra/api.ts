import { FunctionUrlAuthType } from "aws-cdk-lib/aws-lambda";
import type { Functions } from "./functions.ts";

/** The viewer's URL: read-only JSON for whoever signs with IAM credentials that may call it. */
export function api({ api: handler }: Functions): string | undefined {
  return handler?.addFunctionUrl({ authType: FunctionUrlAuthType.AWS_IAM }).url;
}
