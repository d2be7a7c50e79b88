import { executionArn } from "@tracemill/aws/control/execution-arn.ts";
import type { Execution } from "@tracemill/aws/control/executions.ts";
import type { ExecutionInput } from "@tracemill/aws/pipeline/messages.ts";
import type { CloudHome } from "../context.ts";

/** An execution of a run, which is called `<runId>-<number>`: 1 for its start, one more with each resume. */
export interface NumberedExecution extends Execution {
  number: number;
}

type Cloud = Pick<CloudHome, "executions" | "stack">;

/**
 * The newest execution of a run; `undefined` when it has none. Numbers have no gaps, so that asking for one after the
 * other finds the last.
 */
export async function latestExecution(runId: string, cloud: Cloud): Promise<NumberedExecution | undefined> {
  let latest: NumberedExecution | undefined;
  for (let number = 1; ; number += 1) {
    const arn = executionArn(cloud.stack.stateMachineArn, `${runId}-${number}`);
    const found = await cloud.executions.describe(arn);
    if (found === undefined) return latest;
    latest = { ...found, number };
  }
}

interface NewExecution {
  runId: string;
  number: number;
  startedAt: number;
  /** Not the number tells: of a run that AWS has forgotten the executions of, the next is the first again. */
  resumed: boolean;
}

/** Starts an execution of a run. @returns its ARN. @throws TracemillError `conflict`, see `Executions.start`. */
export async function startExecution(
  { runId, number, startedAt, resumed }: NewExecution,
  { executions, stack }: Cloud,
): Promise<string> {
  const name = `${runId}-${number}`;
  const input: ExecutionInput = { runId, execution: name, startedAt, resumed };
  return executions.start({ stateMachineArn: stack.stateMachineArn, name, input });
}

/** Where the console shows an execution. */
export function consoleUrl(arn: string): string {
  const [, partition, , region] = arn.split(":");
  const host = partition === "aws-cn" ? "console.amazonaws.cn" : "console.aws.amazon.com";
  return `https://${region}.${host}/states/home?region=${region}#/v2/executions/details/${arn}`;
}
