import { Annotations, Duration, Size, Stack } from "aws-cdk-lib";
import { PolicyDocument, type PolicyStatement, Role } from "aws-cdk-lib/aws-iam";
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  RecursiveLoop,
  Runtime,
  SystemLogLevel,
  Tracing,
} from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import { bundleExport, bundleHandler, type Cpu, nativeCpu } from "./bundle.ts";
import { functionStatements } from "./function-roles.ts";
import { type FunctionName, functionMemory, functionNames, functionSeconds } from "./function-sizes.ts";
import type { Images } from "./images.ts";
import type { Logs } from "./logs.ts";
import * as permissions from "./permissions.ts";
import type { Queues } from "./queues.ts";
import { nameOf, type Stage } from "./stage-file.ts";
import type { Storage } from "./storage.ts";

export interface FunctionParts {
  storage: Storage;
  queues: Queues;
  images: Images;
  logs: Logs;
}

/** `export-small` and `api` are not on every stage. */
export type Functions = Record<Exclude<FunctionName, "export-small" | "api">, LambdaFunction> &
  Partial<Record<"export-small" | "api", LambdaFunction>>;

/**
 * The handlers of `packages/functions/src/handlers`, bundled, each with a role of its own. None reserves
 * concurrency: a new account has 10 in all, of which AWS lets none be reserved.
 */
export function functions(scope: Construct, stage: Stage, parts: FunctionParts): Functions {
  const cpu = nativeCpu(stage.root);
  if (cpu === undefined) {
    Annotations.of(scope).addInfo(
      "DuckDB's library for Linux is not installed on this machine: small exports run as jobs, a minute later",
    );
  }
  const made = functionNames
    .filter((name) => (name === "api" ? stage.settings.api : name !== "export-small" || cpu !== undefined))
    .map((name) => [name, functionOf(scope, stage, name, parts, cpu)]);
  return Object.fromEntries(made) as Functions;
}

function functionOf(
  scope: Construct,
  stage: Stage,
  name: FunctionName,
  parts: FunctionParts,
  cpu: Cpu | undefined,
): LambdaFunction {
  const isExport = name === "export-small" && cpu !== undefined;
  const folder = isExport ? bundleExport(cpu, stage.root) : bundleHandler(name, stage.root);
  return new LambdaFunction(scope, `Function-${name}`, {
    functionName: nameOf(stage, name),
    runtime: Runtime.NODEJS_24_X,
    // ARM is a fifth cheaper; a native library decides for itself.
    architecture: isExport && cpu === "x64" ? Architecture.X86_64 : Architecture.ARM_64,
    code: Code.fromAsset(folder),
    handler: "index.handler",
    role: roleOf(scope, stage, name, parts),
    timeout: Duration.seconds(functionSeconds[name]),
    memorySize: functionMemory[name],
    // Rows and Parquet files of a small export, twice over. 512 MiB come free.
    ...(isExport ? { ephemeralStorageSize: Size.gibibytes(4) } : {}),
    environment: environmentOf(stage, parts),
    logGroup: parts.logs.functions,
    loggingFormat: LoggingFormat.JSON,
    applicationLogLevelV2: ApplicationLogLevel.INFO,
    systemLogLevelV2: SystemLogLevel.WARN,
    tracing: stage.settings.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
    // It goes on by messages to its own queue, which Lambda would cut off after 16 as a loop; 120 is its own limit.
    ...(name === "ingest" ? { recursiveLoop: RecursiveLoop.ALLOW } : {}),
  });
}

function environmentOf({ name, settings }: Stage, { storage }: FunctionParts): Record<string, string> {
  return {
    TRACEMILL_STAGE: name,
    TRACEMILL_BUCKET: storage.bucket.bucketName,
    TRACEMILL_TABLE: storage.table.tableName,
    ...(settings.source === undefined ? {} : { TRACEMILL_PROD_BASE_URL: settings.source.baseUrl }),
    POWERTOOLS_SERVICE_NAME: "tracemill",
    POWERTOOLS_METRICS_NAMESPACE: "Tracemill",
    POWERTOOLS_LOG_LEVEL: "INFO",
    NODE_OPTIONS: "--enable-source-maps",
  };
}

function roleOf(scope: Construct, stage: Stage, name: FunctionName, parts: FunctionParts): Role {
  const statements: PolicyStatement[] = [
    permissions.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [parts.logs.functions.logGroupArn]),
    ...functionStatements(scope, stage, name, parts),
    ...(stage.settings.tracing
      ? [permissions.withoutResource(["xray:PutTraceSegments", "xray:PutTelemetryRecords"])]
      : []),
  ];
  return new Role(scope, `Role-${name}`, {
    assumedBy: permissions.lambdaService,
    description: `Function ${name} of Tracemill, stage ${stage.name}, in ${Stack.of(scope).region}`,
    // In the role itself, so that the function waits for all of it and for nothing else.
    inlinePolicies: { does: new PolicyDocument({ statements }) },
  });
}
