/** A run's projected time and cost on AWS, from the shape of its plan. Pure: no account, no network. */
import type { RunSpec } from "../run/spec.ts";
import type { Assumptions } from "./assumptions.ts";
import { computeLines, modelLines, storageLines } from "./compute-lines.ts";
import { controlLines } from "./control-lines.ts";
import { type LimitCheck, limitChecks } from "./limit-checks.ts";
import { type CostLine, merged, totalOf } from "./lines.ts";
import type { Limits, Prices } from "./prices.ts";
import type { PlanShape } from "./shape.ts";
import { stageWorkOf, type Timeline, timelineOf } from "./timeline.ts";

export interface CostBasis {
  prices: Prices;
  limits: Limits;
  assumptions: Assumptions;
}

export interface Estimate {
  lines: CostLine[];
  /** US dollars; `storage` a month. */
  totals: Record<CostLine["group"], number>;
  /** Control plane for a million trials; absent without trials. */
  controlPerMillionTrials?: number;
  timeline: Timeline;
  limits: LimitCheck[];
}

/**
 * @param basis prices, limits and assumptions, those of this package or a user's own.
 * @throws TracemillError `invalid-input` when the assumptions name an instance type without a price.
 */
export function estimate(shape: PlanShape, spec: RunSpec, basis: CostBasis): Estimate {
  const input = { shape, spec, ...basis };
  const work = shape.groups.flatMap((group) => stageWorkOf(group, input));
  const timeline = timelineOf(input, work);
  const whole = { ...input, work, timeline };
  const all = [...controlLines(whole), ...computeLines(whole), ...modelLines(whole), ...storageLines(whole)];
  const lines = merged(all.filter(({ quantity }) => quantity > 0));
  const control = totalOf(lines, "control");
  return {
    lines,
    totals: {
      control,
      compute: totalOf(lines, "compute"),
      models: totalOf(lines, "models"),
      storage: totalOf(lines, "storage"),
    },
    ...(shape.trials === 0 ? {} : { controlPerMillionTrials: (control / shape.trials) * 1e6 }),
    timeline,
    limits: limitChecks(whole),
  };
}
