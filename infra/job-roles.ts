import { Stack } from "aws-cdk-lib";
import { PolicyDocument, PolicyStatement, Role } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { containerCpu, type Images, pullFrom } from "./images.ts";
import type { Logs } from "./logs.ts";
import * as permissions from "./permissions.ts";
import { productionToken } from "./secrets.ts";
import type { Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

export interface JobRoles {
  /** Starts containers on Fargate: pulls their images and writes their logs. */
  execution: Role;
  /** Steps of a run. */
  step: Role;
  /** Trials: no secrets but model keys, no models of Bedrock but those of the settings, no snapshots, no datasets. */
  worker: Role;
  /** Builds task images and registers what uses them. */
  image: Role;
}

interface JobParts {
  storage: Storage;
  images: Images;
  logs: Logs;
}

export function jobRoles(scope: Construct, stage: Stage, parts: JobParts): JobRoles {
  const execution = role(scope, "JobExecutionRole", "Starts the containers of Tracemill's jobs", [
    // On instances their own role pulls.
    ...parts.images.worker(containerCpu(stage)).pull,
    ...pullFrom([parts.images.tasks.repositoryArn]),
    permissions.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [parts.logs.jobs.logGroupArn]),
  ]);
  const worker = role(scope, "WorkerRole", "Works on shards", workerStatements(scope, stage, parts));
  return {
    execution,
    worker,
    step: role(scope, "StepRole", "Runs steps", stepStatements(scope, stage, parts)),
    image: role(scope, "ImageRole", "Builds task images", [
      ...imageStatements(scope, stage, parts),
      passToTasks([execution, worker]),
    ]),
  };
}

function role(scope: Construct, id: string, description: string, statements: PolicyStatement[]): Role {
  return new Role(scope, id, {
    assumedBy: permissions.tasksService.withConditions({
      // Only tasks of this account: no other one can make ECS use the role for it.
      StringEquals: { "aws:SourceAccount": Stack.of(scope).account },
    }),
    description,
    inlinePolicies: { does: new PolicyDocument({ statements }) },
  });
}

function workerStatements(scope: Construct, stage: Stage, { storage }: JobParts): PolicyStatement[] {
  return [
    // `models`: the cache of answers.
    ...permissions.readObjects(storage, ["runs", "tasks", "references", "models"]),
    permissions.writeObjects(storage, ["runs", "models"]),
    permissions.writeRecords(storage),
    permissions.readStackInfo(scope, stage),
    ...permissions.readSecrets(scope, stage, stage.settings.secrets),
    ...permissions.callModels(scope, stage.settings.bedrockModels),
  ];
}

/** What ingest, prepare, plan and export read and write. */
const stepPrefixes: readonly permissions.Prefix[] = [
  ...(["raw", "artifacts", "spool", "prepared"] as const),
  ...(["runs", "tasks", "references", "datasets"] as const),
];

function stepStatements(scope: Construct, stage: Stage, { storage }: JobParts): PolicyStatement[] {
  return [
    ...permissions.readObjects(storage, stepPrefixes),
    permissions.writeObjects(storage, stepPrefixes),
    // Checkpoints of an ingest, once its snapshot is whole.
    permissions.deleteObjects(storage, ["raw", "spool"]),
    permissions.writeRecords(storage),
    permissions.readStackInfo(scope, stage),
    ...permissions.readSecrets(scope, stage, [productionToken]),
  ];
}

function imageStatements(scope: Construct, stage: Stage, { storage, images }: JobParts): PolicyStatement[] {
  const { repositoryArn } = images.tasks;
  const pushes = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
  ];
  const sandboxes = permissions.jobDefinitionArns(scope, stage, "sandbox-*");
  return [
    ...permissions.readObjects(storage, ["runs", "tasks"]),
    permissions.readStackInfo(scope, stage),
    permissions.allow(pushes, [repositoryArn]),
    // A task without an image of its own gets one from the worker's.
    ...images.worker(containerCpu(stage)).pull,
    permissions.withoutResource(["ecr:GetAuthorizationToken", "batch:DescribeJobDefinitions"]),
    permissions.allow(["batch:RegisterJobDefinition", "batch:TagResource"], sandboxes),
  ];
}

/** A job definition names the roles of its containers; whoever registers it has to be allowed to hand them on. */
function passToTasks(roles: readonly Role[]): PolicyStatement {
  return new PolicyStatement({
    actions: ["iam:PassRole"],
    resources: roles.map(({ roleArn }) => roleArn),
    conditions: { StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } },
  });
}
