import { RemovalPolicy } from "aws-cdk-lib";
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type ISubnet,
  type IVpc,
  SecurityGroup,
  SubnetType,
  Vpc,
} from "aws-cdk-lib/aws-ec2";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { nameOf, type Stage } from "./stage-file.ts";

export interface Network {
  subnets: ISubnet[];
  /** Lets everything out and nothing in. */
  group: SecurityGroup;
  /** Whether tasks get a public address: without one, in a public subnet, they reach nothing. */
  publicAddresses: boolean;
}

/**
 * Where jobs run. By default in public subnets: jobs call models and pull images over the internet, and a NAT
 * gateway for that costs 33 USD a month in each zone and 0.045 USD a gigabyte, which image pulls make the largest
 * line of the bill. What protects a job is its security group, which has no inbound rule. S3 and DynamoDB are
 * reached through gateways of the VPC's own, free of charge.
 */
export function network(scope: Construct, stage: Stage): Network {
  const { subnets, cidr, flowLogs } = stage.settings.network;
  const isPublic = subnets === "public";
  const vpc = new Vpc(scope, "Vpc", {
    ipAddresses: IpAddresses.cidr(cidr),
    // Two zones: one more Spot pool for each type, and an outage of one is survived.
    maxAzs: 2,
    natGateways: isPublic ? 0 : 1,
    // 4,091 addresses a subnet, one for each Fargate task.
    subnetConfiguration: [
      {
        name: "public",
        subnetType: SubnetType.PUBLIC,
        cidrMask: isPublic ? 20 : 26,
        mapPublicIpOnLaunch: isPublic,
      },
      ...(isPublic ? [] : [{ name: "jobs", subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 }]),
    ],
    gatewayEndpoints: {
      S3: { service: GatewayVpcEndpointAwsService.S3 },
      DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
    },
    // Its custom resource would be a function more; nothing here uses the default group.
    restrictDefaultSecurityGroup: false,
  });
  if (flowLogs) addFlowLogs(scope, vpc, stage);
  const group = new SecurityGroup(scope, "JobsGroup", {
    // The library is not written for exact optional types.
    vpc: vpc as IVpc,
    description: "Tracemill jobs: everything out, nothing in",
    allowAllOutbound: true,
  });
  return { subnets: isPublic ? vpc.publicSubnets : vpc.privateSubnets, group, publicAddresses: isPublic };
}

function addFlowLogs(scope: Construct, vpc: Vpc, stage: Stage): void {
  const group = new LogGroup(scope, "FlowLogs", {
    logGroupName: `/tracemill/${stage.name}/network`,
    retention: stage.settings.logs.days,
    removalPolicy: stage.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
  vpc.addFlowLog(nameOf(stage, "flow"), { destination: FlowLogDestination.toCloudWatchLogs(group) });
}
