import { PutSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { secretsManagerClient } from "@tracemill/aws/clients/secrets-manager.ts";
import { type Finished, tracemill, type UserMachine, userMachine } from "../e2e/tracemill.ts";
import { clientOptions } from "../emulators/peer/stack.ts";
import type { Cloud } from "./cloud.ts";

/** A user's machine from which the deployed stage is reached, with the production API's token in the cloud. */
export async function cloudUser(cloud: Cloud): Promise<UserMachine> {
  const secrets = secretsManagerClient(clientOptions(cloud));
  const SecretId = `${cloud.stack.secretPrefix}PROD_API_TOKEN`;
  await secrets.send(new PutSecretValueCommand({ SecretId, SecretString: "secret-token" }));
  return userMachine({ ...cloud.env, TRACEMILL_STAGE: cloud.stage });
}

/** A verb of `tracemill` about the stage, and the run that it spoke of. */
export async function runIn(user: UserMachine, ...args: string[]): Promise<Finished & { runId: string }> {
  const finished = await tracemill(user, ...args, "--on", "aws");
  const runId = /run_[0-9A-Z]{26}/.exec(finished.stdout + finished.stderr)?.[0];
  if (runId === undefined) throw new Error(`no run in:\n${finished.stdout}${finished.stderr}`);
  return { ...finished, runId };
}
