import { dynamodbClient } from "@tracemill/aws/clients/dynamodb.ts";
import { s3Client } from "@tracemill/aws/clients/s3.ts";
import { ssmClient } from "@tracemill/aws/clients/ssm.ts";
import { readStack } from "@tracemill/aws/control/stack-lookup.ts";
import { s3ObjectStore } from "@tracemill/aws/object-store.ts";
import { dynamoRecordStore } from "@tracemill/aws/record-store.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import { inject } from "vitest";
import { type Control, peerControl } from "../emulators/peer/control.ts";
import { clientOptions } from "../emulators/peer/stack.ts";
import type { DeployedCloud } from "./deploy.ts";

export interface Cloud extends DeployedCloud {
  stack: StackInfo;
  objects: ObjectStore;
  records: RecordStore;
  control: Control;
}

const given = inject("cloud");

/** Why these tests cannot run on this machine, for a suite's title. */
export const missing = "missing" in given ? given.missing : undefined;

/** The deployed stage, its stores, and the control of the emulator that it is in. */
export async function openCloud(): Promise<Cloud> {
  if ("missing" in given) throw new Error(given.missing);
  const options = clientOptions(given);
  const stack = await readStack(ssmClient(options), given.stage);
  return {
    ...given,
    stack,
    objects: s3ObjectStore({ client: s3Client(options), bucket: stack.bucket }),
    records: dynamoRecordStore({ client: dynamodbClient(options), table: stack.table }),
    control: peerControl(given.endpoint),
  };
}
