import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackEventsCommand,
  waitUntilStackCreateComplete,
} from "@aws-sdk/client-cloudformation";
import type { Peer } from "./start.ts";

type Resource = { Type: string; DependsOn?: string; Properties: Record<string, unknown> };

/** Deploys a template that a test wrote. @throws with the reasons of resources that could not be made. */
export async function deployTemplate(
  peer: Pick<Peer, "endpoint">,
  name: string,
  Resources: Record<string, Resource>,
): Promise<void> {
  const client = new CloudFormationClient(clientOptions(peer));
  const TemplateBody = JSON.stringify({ Resources });
  await client.send(
    new CreateStackCommand({ StackName: name, TemplateBody, Capabilities: ["CAPABILITY_IAM"] }),
  );
  const made = waitUntilStackCreateComplete({ client, maxWaitTime: 30, minDelay: 1 }, { StackName: name });
  await made.catch(async (error: unknown) => {
    const { StackEvents } = await client.send(new DescribeStackEventsCommand({ StackName: name }));
    const reasons = StackEvents?.flatMap(({ ResourceStatusReason }) => ResourceStatusReason ?? []);
    throw new Error(`stack ${name}: ${reasons?.join("; ")}`, { cause: error });
  });
}

/** How an SDK client of a test reaches the peer. */
export function clientOptions({ endpoint }: Pick<Peer, "endpoint">) {
  const credentials = { accessKeyId: "testing", secretAccessKey: "testing" };
  return { endpoint, region: "us-east-1", credentials };
}
