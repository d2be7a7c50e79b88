import type { PipelineTargets } from "./targets.ts";

const account = "us-east-1:123456789012";
const functionArn = (name: string): string => `arn:aws:lambda:${account}:function:tracemill-ci-${name}`;

/** Targets of a stage that is not deployed, for what reads a definition: tests, diagrams, simulations. */
export const sampleTargets: PipelineTargets = {
  partition: "aws",
  functions: {
    ingest: functionArn("ingest"),
    prepare: functionArn("prepare"),
    plan: functionArn("plan"),
    "export-small": functionArn("export-small"),
    collect: functionArn("collect"),
    "record-failure": functionArn("record-failure"),
    "end-run": functionArn("end-run"),
  },
  step: { queue: `arn:aws:batch:${account}:job-queue/steps`, definition: "tracemill-ci-step" },
};
