import { prepareStep } from "@tracemill/core/pipeline/handlers.ts";
import { stepHandler } from "../steps/step-handler.ts";

/** Turns a run's snapshot and folders into tasks. */
export const handler = stepHandler({ name: "prepare", work: prepareStep });
