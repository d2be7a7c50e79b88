import { Metrics as Emf } from "@aws-lambda-powertools/metrics";
import type { MetricPoint, Metrics } from "./ports.ts";

/**
 * Metrics in the embedded format: a line of the function's log for each set of dimensions, namespace `Tracemill`,
 * dimension `Stage` and what the point adds. The library's own dimension `service` is left out, since a metric is
 * found by all of its dimensions.
 */
export function embeddedMetrics(stage: string, emf = new Emf({ namespace: "Tracemill" })): Metrics {
  return (points) => {
    for (const group of Map.groupBy(points, ({ dimensions }) => JSON.stringify(dimensions ?? {})).values()) {
      publishGroup(group, stage, emf);
    }
  };
}

function publishGroup(points: readonly MetricPoint[], stage: string, emf: Emf): void {
  emf.clearDefaultDimensions();
  emf.addDimensions({ Stage: stage, ...points[0]?.dimensions });
  for (const { name, unit, value } of points) emf.addMetric(name, unit, value);
  emf.publishStoredMetrics();
}
