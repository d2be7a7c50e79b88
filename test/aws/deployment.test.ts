import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { type Cloud, missing, openCloud } from "./cloud.ts";

interface Template {
  Resources: Record<string, { Type: string }>;
}

/** Types that no API of the emulator shows. A deployment says nothing about these; synthesis is tested for them. */
const unseen = [
  "AWS::EC2::Route",
  "AWS::EC2::SubnetRouteTableAssociation",
  "AWS::EC2::VPCGatewayAttachment",
  "AWS::Lambda::EventInvokeConfig",
  "AWS::Lambda::Permission",
  "AWS::SNS::TopicPolicy",
  "AWS::SQS::QueuePolicy",
  "Custom::S3AutoDeleteObjects",
];

describe.skipIf(missing !== undefined)(`a deployed stage${missing ? ` (${missing})` : ""}`, () => {
  let cloud: Cloud;
  beforeAll(async () => {
    cloud = await openCloud();
  });

  test("tells its users what they need to know", () => {
    expect(cloud.stack).toMatchObject({ stage: "ci", region: "us-east-1" });
  });

  test(`has every resource of its template (not shown by the emulator: ${unseen.join(", ")})`, async () => {
    const { Resources } = JSON.parse(await readFile(cloud.template, "utf8")) as Template;
    const found = new Map((await cloud.control.inventory("tracemill-ci")).map((entry) => [entry.id, entry]));
    const seen = Object.entries(Resources).filter(([, { Type }]) => !unseen.includes(Type));
    const absent = seen.flatMap(([id, { Type }]) => {
      const entry = found.get(id);
      return entry?.there === true
        ? []
        : [`${id} (${Type}): ${entry?.why ?? entry?.name ?? "not in the stack"}`];
    });
    expect(absent).toEqual([]);
    expect(seen.length).toBeGreaterThan(60);
  });
});
