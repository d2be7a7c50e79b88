import { CreateTableCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { AwsOptions } from "@tracemill/aws/clients/options.ts";

/** How clients reach an emulator. */
export function emulated(endpoint: string): AwsOptions {
  return { endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
}

/** moto asks for no signature, so that no S3 client is needed here. */
export async function createBucket(endpoint: string, name: string): Promise<void> {
  const response = await fetch(`${endpoint}/${name}`, { method: "PUT" });
  if (!response.ok) throw new Error(`bucket ${name}: ${response.status} ${await response.text()}`);
}

/** A table as the deployment makes it. */
export async function createTable(client: DynamoDBClient, name: string): Promise<void> {
  const keys = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"];
  const schema = (prefix: string) => [
    { AttributeName: `${prefix}pk`, KeyType: "HASH" as const },
    { AttributeName: `${prefix}sk`, KeyType: "RANGE" as const },
  ];
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: keys.map((key) => ({ AttributeName: key, AttributeType: "S" as const })),
      KeySchema: schema(""),
      GlobalSecondaryIndexes: ["gsi1", "gsi2"].map((index) => ({
        IndexName: index,
        KeySchema: schema(index),
        Projection: { ProjectionType: "KEYS_ONLY" as const },
      })),
    }),
  );
}
