import type { StepName } from "@tracemill/core/pipeline/stages.ts";

/** Functions that the state machine calls, by their file in `packages/functions/src/handlers`. */
export type PipelineFunction =
  | "ingest"
  | "prepare"
  | "plan"
  | "export-small"
  | "collect"
  | "record-failure"
  | "end-run";

/** What the state machine works with. ARNs, or in CDK tokens that become ARNs. */
export interface PipelineTargets {
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  partition: string;
  /** A stage without a function for small exports leaves that one out. */
  functions: Record<Exclude<PipelineFunction, "export-small">, string> & { "export-small"?: string };
  /** Runs the steps that outgrow a function. */
  step: { queue: string; definition: string };
}

/** The function that does a step while it is small. */
export const functionOfStep: Record<StepName, PipelineFunction> = {
  ingest: "ingest",
  prepare: "prepare",
  plan: "plan",
  export: "export-small",
};
