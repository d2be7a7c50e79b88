import { GetCallerIdentityCommand, type STSClient } from "@aws-sdk/client-sts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";

/** Who the SDK's credentials are. */
export interface Identity {
  /** Twelve digits. */
  account: string;
  arn: string;
}

/** @throws TracemillError `unauthorized` without valid credentials. */
export async function identityOf(sts: STSClient): Promise<Identity> {
  const call = { doing: "asking AWS who this is", action: "sts:GetCallerIdentity" };
  const answer = await callService(call, () => sts.send(new GetCallerIdentityCommand({})));
  return { account: answer.Account ?? "", arn: answer.Arn ?? "" };
}

/** Credentials, account and region. Without them nothing else can be checked: `missing`. */
export async function identityCheck(sts: STSClient): Promise<DoctorCheck[]> {
  const checks = await checked("identity", async () => {
    const { arn } = await identityOf(sts);
    return { name: "identity", status: "ok", detail: `${arn} in ${await sts.config.region()}` };
  });
  return checks.map((check) => (check.status === "ok" ? check : { ...check, status: "missing" }));
}
