import { Metrics as Emf } from "@aws-lambda-powertools/metrics";
import { expect, test } from "vitest";
import { embeddedMetrics } from "./metrics.ts";

/** Keeps what would be printed. */
class KeptEmf extends Emf {
  readonly printed: Record<string, unknown>[] = [];

  override publishStoredMetrics(): this {
    this.printed.push(this.serializeMetrics() as unknown as Record<string, unknown>);
    this.clearMetrics();
    this.clearDimensions();
    return this;
  }
}

test("points of one set of dimensions are one line, found by stage and outcome alone", () => {
  const emf = new KeptEmf({ namespace: "Tracemill" });
  const publish = embeddedMetrics("dev", emf);
  publish([
    { name: "Attempts", unit: "Count", value: 2, dimensions: { Outcome: "scored" } },
    { name: "Attempts", unit: "Count", value: 1, dimensions: { Outcome: "model-failed" } },
    { name: "CostUsd", unit: "None", value: 0.25 },
    { name: "Tokens", unit: "Count", value: 1_000 },
  ]);
  const seen = emf.printed.map((line) => ({ ...line, _aws: undefined }));
  expect(seen).toEqual([
    { Stage: "dev", Outcome: "scored", Attempts: 2 },
    { Stage: "dev", Outcome: "model-failed", Attempts: 1 },
    { Stage: "dev", CostUsd: 0.25, Tokens: 1_000 },
  ]);
  expect(emf.printed[0]).toMatchObject({
    _aws: {
      CloudWatchMetrics: [
        {
          Namespace: "Tracemill",
          Dimensions: [["Stage", "Outcome"]],
          Metrics: [{ Name: "Attempts", Unit: "Count" }],
        },
      ],
    },
  });
});

test("nothing new prints nothing", () => {
  const emf = new KeptEmf({ namespace: "Tracemill" });
  embeddedMetrics("dev", emf)([]);
  expect(emf.printed).toEqual([]);
});
