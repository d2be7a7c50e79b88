import { TracemillError } from "@tracemill/core/errors.ts";
import type { ModelAccess } from "@tracemill/core/ports/model-access.ts";

const nobody = (model: string) =>
  Promise.reject(new TracemillError("invalid-spec", `nobody serves ${model}`));

/** No model at all, for agents that need none. */
export const noModels: ModelAccess = { open: nobody, upstream: nobody };
