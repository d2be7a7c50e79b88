import { GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import type { StackInfo } from "../../stack.ts";
import type { Executions } from "../executions.ts";
import { callService } from "../service-call.ts";
import { checked } from "./check.ts";

interface Reached {
  objects: ObjectStore;
  records: RecordStore;
  executions: Executions;
}

/** Whether bucket, table and state machine answer, in the region where the stage says they are. */
export async function reachChecks(stack: StackInfo, deps: Reached): Promise<DoctorCheck[]> {
  const { objects, records, executions } = deps;
  const checks = await Promise.all([
    checked("bucket", async () => {
      for await (const _ of objects.list("specs/")) break;
      return { name: "bucket", status: "ok", detail: stack.bucket };
    }),
    checked("table", async () => {
      for await (const _ of records.query("runs", { limit: 1 })) break;
      return { name: "table", status: "ok", detail: stack.table };
    }),
    checked("state machine", async () => {
      for await (const _ of executions.list(stack.stateMachineArn, { status: "RUNNING" })) break;
      return { name: "state machine", status: "ok", detail: stack.stateMachineArn };
    }),
  ]);
  return checks.flat();
}

/** Whether messages lie among the dead letters of the ingest queue. */
export function deadLetterCheck(sqs: SQSClient, stack: StackInfo): Promise<DoctorCheck[]> {
  const name = "dead letters of the ingest";
  const QueueUrl = stack.ingestDeadLettersUrl;
  return checked(name, async (): Promise<DoctorCheck> => {
    const command = new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: ["ApproximateNumberOfMessages"],
    });
    const call = { doing: `asking ${QueueUrl}`, action: "sqs:GetQueueAttributes" };
    const { Attributes } = await callService(call, () => sqs.send(command));
    const waiting = Number(Attributes?.ApproximateNumberOfMessages ?? Number.NaN);
    if (Number.isNaN(waiting))
      throw new TracemillError("storage-failed", `${QueueUrl}: tells no number of messages`);
    if (waiting === 0) return { name, status: "ok", detail: "none" };
    const remedy = `the functions' log says why (${stack.logGroups.functions}); then send them again: aws sqs start-message-move-task --source-arn QUEUE-ARN`;
    return { name, status: "warning", detail: `${waiting} messages`, remedy };
  });
}
