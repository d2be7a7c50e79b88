import type { RunProgress, Tally } from "@tracemill/core/run/shard-record.ts";
import type { MetricPoint } from "../ports.ts";

type Sums = Pick<RunProgress, "tally" | "failedShards">;

/**
 * What came since the last sum of a run. Sums of runs are absolute and of many runs at once: only their growth can
 * be added up over the runs of a stage and over time. A resumed run may count less than before: that is no growth.
 */
export function metricPoints(before: Sums | undefined, after: Sums): MetricPoint[] {
  const grown = (of: (sums: Sums) => number): number =>
    Math.max(0, of(after) - (before === undefined ? 0 : of(before)));
  const attempts = Object.keys(after.tally.outcomes).map((outcome): MetricPoint => {
    const of = ({ tally }: Sums): number => tally.outcomes[outcome as keyof Tally["outcomes"]] ?? 0;
    return { name: "Attempts", unit: "Count", value: grown(of), dimensions: { Outcome: outcome } };
  });
  const points: MetricPoint[] = [
    ...attempts,
    { name: "TrialsEnded", unit: "Count", value: grown(({ tally }) => tally.ended) },
    { name: "FailedShards", unit: "Count", value: grown(({ failedShards }) => failedShards) },
    { name: "CostUsd", unit: "None", value: grown(({ tally }) => tally.usage.costUsd ?? 0) },
    {
      name: "Tokens",
      unit: "Count",
      value: grown(({ tally: { usage } }) => usage.promptTokens + usage.completionTokens),
    },
  ];
  return points.filter(({ value }) => value > 0);
}
