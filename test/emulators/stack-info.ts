import type { StackInfo } from "@tracemill/aws/stack.ts";

/** What a stage that was deployed into an emulator tells its users. */
export function stackInfo(changes: Partial<StackInfo> = {}): StackInfo {
  const { stage = "ci" } = changes;
  const target = (kind: string) => ({
    queue: `tracemill-${stage}-${kind}`,
    definition: `tracemill-${stage}-${kind}`,
  });
  const size = (vcpus: number, memoryMiB: number, gpus = 0) => ({ vcpus, memoryMiB, gpus });
  const region = "us-east-1";
  const account = "123456789012";
  return {
    schemaVersion: 1,
    stage,
    region,
    bucket: `tracemill-${stage}`,
    table: `tracemill-${stage}`,
    stateMachineArn: `arn:aws:states:${region}:${account}:stateMachine:tracemill-${stage}`,
    functions: {},
    ingestQueueUrl: `https://sqs.${region}.amazonaws.com/${account}/tracemill-${stage}-ingest`,
    ingestDeadLettersUrl: `https://sqs.${region}.amazonaws.com/${account}/tracemill-${stage}-ingest-dead`,
    imageRepository: `${account}.dkr.ecr.${region}.amazonaws.com/tracemill-${stage}-tasks`,
    secretPrefix: `tracemill/${stage}/`,
    jobs: {
      step: target("step"),
      container: target("container"),
      host: target("host"),
      sandbox: { queue: `tracemill-${stage}-sandbox`, definition: `tracemill-${stage}-` },
      image: target("image"),
    },
    onDemandQueues: {},
    logGroups: {
      jobs: `/tracemill/${stage}/jobs`,
      functions: `/tracemill/${stage}/functions`,
      stateMachine: `/aws/vendedlogs/states/tracemill-${stage}`,
    },
    sizes: {
      step: size(1, 4_096),
      container: size(2, 4_096),
      host: size(4, 8_192),
      sandbox: size(4, 8_192),
      image: size(4, 8_192),
      gpu: size(8, 32_768, 1),
    },
    ...changes,
  };
}

/** Writes a stage's parameter. moto asks for no signature, so that no SSM client is needed here. */
export async function putParameter(endpoint: string, stage: string, value: string): Promise<void> {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AmazonSSM.PutParameter",
      // Tells moto the service and the region.
      authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ssm/aws4_request",
    },
    body: JSON.stringify({
      Name: `/tracemill/${stage}/stack`,
      Type: "String",
      Value: value,
      Overwrite: true,
    }),
  });
  if (!response.ok) throw new Error(`parameter of ${stage}: ${response.status} ${await response.text()}`);
}
