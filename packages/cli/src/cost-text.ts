import type { CostBasis, Estimate } from "@tracemill/core/cost/estimate.ts";
import type { LimitCheck } from "@tracemill/core/cost/limit-checks.ts";
import type { CostLine } from "@tracemill/core/cost/lines.ts";
import type { PlanShape } from "@tracemill/core/cost/shape.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { table } from "./tables.ts";

interface Priced {
  spec: RunSpec;
  shape: PlanShape;
  basis: CostBasis;
  result: Estimate;
}

/** An estimate on one screen: what, how long, what it costs by service, and which limits it meets. */
export function costText({ spec, shape, basis, result }: Priced): string {
  const { totals, controlPerMillionTrials = 0 } = result;
  const total = totals.control + totals.compute + totals.models;
  const perTrial = (total / Math.max(1, shape.trials)) * 1_000;
  return [
    `${count(shape.tasks)} tasks · ${count(shape.trials)} trials · ${count(shape.shards)} shards`,
    timeText(result, spec),
    `\n${linesTable(result.lines)}`,
    `\ntotal: ${usd(total)} (${usd(perTrial)} a thousand trials): control plane ${usd(totals.control)}, compute ${usd(totals.compute)}${modelsText(result)}`,
    `control plane a million trials: ${usd(controlPerMillionTrials)}; stored: ${usd(totals.storage)} a month`,
    `\n${limitsText(result.limits)}`,
    `\n${assumedText({ spec, shape, basis, result })}`,
  ].join("\n");
}

function timeText({ timeline }: Estimate, { concurrency }: RunSpec): string {
  const waits = {
    work: `${count(timeline.jobsAtOnce)} jobs × ${concurrency} trials at once (\`aws.jobs\`, \`concurrency\`)`,
    capacity:
      "as much at once as the stage allows (`maxVcpus` in its settings, `jobs` in a file of --prices)",
    submits: "as fast as Batch takes jobs",
    launches: "as fast as Fargate launches tasks",
  };
  return `about ${formatDuration(timeline.seconds * 1_000)}: ${waits[timeline.bound]}`;
}

function modelsText({ totals, lines }: Estimate): string {
  const calls = lines.filter(({ group }) => group === "models");
  if (calls.length === 0) return "";
  if (calls.every((line) => line.usd !== undefined)) return `, models ${usd(totals.models)}`;
  return ", models not counted (no price: give `prices.models` in a file of --prices)";
}

const groups: Record<CostLine["group"], string> = {
  control: "control plane",
  compute: "compute",
  models: "models",
  storage: "stored, a month",
};

function linesTable(lines: readonly CostLine[]): string {
  const rows = lines.map((line) => [
    groups[line.group],
    line.service,
    line.what,
    `${count(line.quantity)} ${line.unit}`,
    line.usd === undefined ? "no price" : usd(line.usd),
  ]);
  return table(["", "service", "what", "quantity", "USD"], rows);
}

function limitsText(limits: readonly LimitCheck[]): string {
  const words = { kept: "kept", waits: "the run waits for it", raise: "ask for more" };
  const rows = limits.map(({ what, value, limit, unit, verdict }) => [
    what,
    count(value),
    `${count(limit)} ${unit}`.trimEnd(),
    words[verdict],
  ]);
  return table(["limit", "here", "AWS allows", ""], rows);
}

function assumedText({ spec, basis: { assumptions } }: Priced): string {
  const agent = assumptions.modelAgentSeconds;
  const scripted = assumptions.scriptedAgentSeconds;
  const terms = spec.aws.spot ? "Spot" : "on demand";
  return [
    `assumed: ${agent} s an attempt with a model, ${scripted} s without (--seconds-per-trial N);`,
    `${assumptions.testsSeconds} s for tests; ${assumptions.attemptsPerTrial} attempts a trial; ${terms}`,
  ].join(" ");
}

function usd(value: number): string {
  return value > 0 && value < 0.01 ? "<0.01" : value.toFixed(2);
}

function count(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}
