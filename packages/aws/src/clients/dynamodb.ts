import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type AwsOptions, clientSettings } from "./options.ts";
import { eachAttempt, Pace, paced } from "./pace.ts";

export function dynamodbClient(options?: AwsOptions): DynamoDBClient {
  const client = new DynamoDBClient(clientSettings(options));
  client.middlewareStack.addRelativeTo(paced(new Pace()), eachAttempt);
  return client;
}
