import type { RunSpec } from "../run/spec.ts";
import type { Assumptions } from "./assumptions.ts";
import type { Prices } from "./prices.ts";
import type { PlanShape } from "./shape.ts";
import type { StageWork, Timeline } from "./timeline.ts";

/** What the lines of an estimate are computed from. */
export interface CostInput {
  shape: PlanShape;
  spec: RunSpec;
  work: readonly StageWork[];
  timeline: Timeline;
  assumptions: Assumptions;
  prices: Prices;
}
