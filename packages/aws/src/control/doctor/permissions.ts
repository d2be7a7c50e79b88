import { GetRoleCommand, type IAMClient, SimulatePrincipalPolicyCommand } from "@aws-sdk/client-iam";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { isAwsError } from "../../errors.ts";
import type { StackInfo } from "../../stack.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";
import type { Identity } from "./identity.ts";

/** What the command line calls, by the resource that it calls it on. */
interface Need {
  resource: string;
  actions: string[];
}

/** The actions that the command line needs of whoever uses a stage. */
export function neededActions(stack: StackInfo, { account }: Pick<Identity, "account">): Need[] {
  const partition = stack.stateMachineArn.split(":")[1] ?? "aws";
  const arn = (service: string, rest: string): string =>
    `arn:${partition}:${service}:${stack.region}:${account}:${rest}`;
  const bucket = `arn:${partition}:s3:::${stack.bucket}`;
  return [
    { resource: bucket, actions: ["s3:ListBucket"] },
    { resource: `${bucket}/*`, actions: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"] },
    {
      resource: arn("dynamodb", `table/${stack.table}`),
      actions: ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"],
    },
    { resource: stack.stateMachineArn, actions: ["states:StartExecution", "states:ListExecutions"] },
    {
      resource: `${stack.stateMachineArn.replace(":stateMachine:", ":execution:")}:*`,
      actions: ["states:DescribeExecution", "states:StopExecution"],
    },
    { resource: "*", actions: ["batch:ListJobs", "batch:DescribeJobs"] },
    { resource: arn("batch", "job/*"), actions: ["batch:TerminateJob"] },
    {
      resource: arn("logs", `log-group:${stack.logGroups.jobs}:*`),
      actions: ["logs:FilterLogEvents", "logs:GetLogEvents"],
    },
  ];
}

/**
 * Whether this identity may do what the command line does, as IAM itself would decide. Without the right to ask IAM
 * that is a warning, and the other checks show by their own calls what is refused.
 */
export function permissionChecks(
  iam: IAMClient,
  stack: StackInfo,
  identity: Identity,
): Promise<DoctorCheck[]> {
  return checked("permissions", async () => {
    const policySource = await policySourceOf(iam, identity.arn);
    if (policySource === undefined) return cannotAsk("this kind of identity cannot be simulated");
    const refused: string[] = [];
    for (const need of neededActions(stack, identity)) {
      const answer = await simulate(iam, policySource, need);
      if (answer === undefined) return cannotAsk("iam:SimulatePrincipalPolicy is refused");
      refused.push(...answer.map((action) => `${action} on ${need.resource}`));
    }
    if (refused.length === 0)
      return { name: "permissions", status: "ok", detail: "all that the command line needs" };
    const remedy = `attach a policy to ${policySource} that allows them (docs/aws.md has one)`;
    return { name: "permissions", status: "missing", detail: `refused: ${refused.join(", ")}`, remedy };
  });
}

function cannotAsk(why: string): DoctorCheck {
  return { name: "permissions", status: "warning", detail: `not checked beforehand: ${why}` };
}

/** What IAM takes: a session of a role stands for the role. The root user cannot be simulated, and may do all. */
async function policySourceOf(iam: IAMClient, arn: string): Promise<string | undefined> {
  if (/:iam::\d{12}:(user|role)\//.test(arn)) return arn;
  const role = /:assumed-role\/([^/]+)\//.exec(arn)?.[1];
  if (role === undefined) return undefined;
  try {
    // The session's ARN leaves the role's path out.
    return (await iam.send(new GetRoleCommand({ RoleName: role }))).Role?.Arn;
  } catch {
    return arn.replace(/:sts::(\d{12}):assumed-role\/([^/]+)\/.*$/, ":iam::$1:role/$2");
  }
}

/** The refused ones of the actions; `undefined` when IAM may not be asked. */
async function simulate(
  iam: IAMClient,
  policySource: string,
  { resource, actions }: Need,
): Promise<string[] | undefined> {
  const command = new SimulatePrincipalPolicyCommand({
    PolicySourceArn: policySource,
    ActionNames: actions,
    ResourceArns: [resource],
  });
  const expects = ["AccessDenied", "AccessDeniedException", "NoSuchEntity", "NoSuchEntityException"];
  const call = { doing: "asking IAM", action: "iam:SimulatePrincipalPolicy", expects };
  try {
    const { EvaluationResults = [] } = await callService(call, () => iam.send(command));
    return EvaluationResults.filter(({ EvalDecision }) => EvalDecision !== "allowed").map(
      ({ EvalActionName = "" }) => EvalActionName,
    );
  } catch (error) {
    if (isAwsError(error, ...expects)) return undefined;
    throw error;
  }
}
