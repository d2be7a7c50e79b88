import { type ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { TracemillError } from "@tracemill/core/errors.ts";
import { callService } from "./service-call.ts";

/** What `docker login` wants. The password is a secret of twelve hours. */
export interface RegistryLogin {
  username: string;
  password: string;
}

/** Gets a login for the ECR registry of this account. @throws TracemillError `unauthorized`, `storage-failed`. */
export function registryLogin(client: ECRClient): () => Promise<RegistryLogin> {
  return async () => {
    const call = { doing: "getting a login for ECR", action: "ecr:GetAuthorizationToken" };
    const answer = await callService(call, () => client.send(new GetAuthorizationTokenCommand({})));
    const token = answer.authorizationData?.[0]?.authorizationToken ?? "";
    const [username, password] = Buffer.from(token, "base64").toString("utf8").split(":", 2);
    if (username === undefined || password === undefined || password === "") {
      throw new TracemillError("storage-failed", "getting a login for ECR: it gave none", {
        retryable: true,
      });
    }
    return { username, password };
  };
}
