import { objectKeys } from "@tracemill/core/keys.ts";
import type { RunSummary } from "@tracemill/core/pipeline/results.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import type { Home } from "./context.ts";
import type { Output } from "./output.ts";
import { summaryText } from "./summary.ts";

/** One screen: what a run came to, and where its files are. */
export function sayFinished(run: RunRecord, summary: RunSummary, home: Home, out: Output): void {
  out.event({ type: "finished", run, summary });
  out.text(`\n${summaryText(summary)}\n`);
  const failed = Object.keys(summary.outcomes).some((kind) => kind !== "scored");
  if (failed) out.text(`reasons: tracemill show ${run.runId} --trials${home.flags}`);
  out.text(`results: ${home.locate(objectKeys.runResults(run.runId))}`);
  if (run.status === "finished" && run.dataset !== undefined)
    out.text(`dataset: ${home.locate(run.dataset)}`);
}
