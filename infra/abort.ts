import type { Construct } from "constructs";
import { callOn } from "./events.ts";
import type { Functions } from "./functions.ts";
import { stateMachineArn } from "./permissions.ts";
import type { Queues } from "./queues.ts";
import type { Stage } from "./stage-file.ts";

/**
 * Executions that end without a say of their own: stopped by a user or at a cap, timed out, or failed beyond what
 * their states catch. The function marks the run and ends the jobs that are left in the queues.
 */
export function abort(
  scope: Construct,
  stage: Stage,
  { functions, queues }: { functions: Functions; queues: Queues },
): void {
  callOn(
    scope,
    "EndedExecutions",
    {
      description: "Executions of Tracemill that were stopped, timed out or failed",
      eventPattern: {
        source: ["aws.states"],
        detailType: ["Step Functions Execution Status Change"],
        detail: {
          stateMachineArn: [stateMachineArn(scope, stage)],
          status: ["ABORTED", "FAILED", "TIMED_OUT"],
        },
      },
    },
    { function: functions["record-failure"], undelivered: queues.undelivered },
  );
}
