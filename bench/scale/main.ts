/**
 * Drives a million trials through the synthesized state machine in simulated time, and holds what they come to
 * against AWS's limits and against the goal for the control plane. Exit code 1 when something is not kept.
 *
 *   npm run bench:scale
 *   npm run bench:scale -- --trials 100000 --jobs 10000 --seed 3
 */
import { parseArgs } from "node:util";
import { parseCostFile } from "@tracemill/core/cost/cost-file.ts";
import { estimate } from "@tracemill/core/cost/estimate.ts";
import { type CostLine, totalOf } from "@tracemill/core/cost/lines.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";
import { planScenario, type Scenario, type ScenarioOptions } from "./scenario.ts";
import { type Simulation, simulate } from "./simulate.ts";
import { complaints, controlPerMillion, costOf, figure, type Peak, peaksOf } from "./verdict.ts";

/** MiB that the process may take at most, whatever the number of trials. */
const memoryGoal = 400;

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "1000000" },
    jobs: { type: "string", default: "4000" },
    seed: { type: "string", default: "7" },
    sandbox: { type: "string" },
  },
});
/** A stage whose `maxVcpus` lets all jobs run that the spec allows. */
const basis = parseCostFile(
  { assumptions: { jobs: roomy(["host", "container", "sandbox", "step"]) } },
  "bench/scale",
);
const { limits, prices } = basis;
const seed = Number(values.seed);

function roomy(kinds: readonly string[]): Record<string, { maxVcpus: number }> {
  return Object.fromEntries(kinds.map((kind) => [kind, { maxVcpus: 1e6 }]));
}

interface Result {
  scenario: Scenario;
  simulation: Simulation;
  lines: CostLine[];
  peaks: Peak[];
  broken: string[];
}

async function drive(options: ScenarioOptions): Promise<Result> {
  const startedAt = performance.now();
  const scenario = await planScenario(options);
  const plannedAt = performance.now();
  const simulation = simulate(scenario, { seed, limits });
  const lines = costOf(scenario, simulation, prices);
  const peaks = peaksOf(scenario, simulation, limits);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const half = options.scenarioEvery === undefined ? "" : ", half of them scenarios";
  const planning = ((plannedAt - startedAt) / 1_000).toFixed(1);
  console.log(
    `\n== ${figure(scenario.plan.trials)} trials, sandbox: ${options.sandbox}${half} (${seconds} s, ${planning} s of it to plan)`,
  );
  return { scenario, simulation, lines, peaks, broken: complaints(scenario, simulation, peaks, lines) };
}

function print({ scenario, simulation, lines, peaks }: Result): void {
  const { plan, spec } = scenario;
  const { batch, walk } = simulation;
  console.log(
    `${figure(plan.shards.length)} shards, ${spec.aws.jobs} at once; ${formatDuration(simulation.seconds * 1e3)} simulated`,
  );
  console.log(
    `${figure(walk.executions)} executions, ${figure(walk.retries)} retries, ${figure(batch.throttled)} submits throttled, ${figure(batch.interrupted)} jobs interrupted`,
  );
  const control = totalOf(lines, "control");
  for (const { group, service, what, quantity, unit, usd = 0 } of lines) {
    const share = group === "control" ? `${((100 * usd) / control).toFixed(1)} %` : "";
    console.log(
      `  ${service.padEnd(16)}${what.padEnd(22)}${figure(quantity).padStart(14)} ${unit.padEnd(13)}${usd.toFixed(2).padStart(10)} USD ${share.padStart(7)}`,
    );
  }
  const compute = totalOf(lines, "compute");
  console.log(
    `control plane ${control.toFixed(2)} USD (${((100 * control) / compute).toFixed(2)} % of compute), compute ${compute.toFixed(2)} USD`,
  );
  console.log(`control plane a million trials: ${controlPerMillion(scenario, lines).toFixed(2)} USD`);
  for (const { what, value, limit, unit } of peaks)
    console.log(`  ${what.padEnd(40)}${figure(value).padStart(14)} of ${figure(limit)} ${unit}`);
}

/** How far `tracemill cost` is from the simulation of the same plan. */
function compareEstimate({ scenario, simulation, lines }: Result): void {
  const guess = estimate(scenario.shape, scenario.spec, basis);
  const ratio = guess.totals.control / totalOf(lines, "control");
  const time = guess.timeline.seconds / simulation.seconds;
  const compute = guess.totals.compute / totalOf(lines, "compute");
  console.log(
    `\`tracemill cost\` on the same plan: control plane ${ratio.toFixed(2)}×, compute ${compute.toFixed(2)}×, time ${time.toFixed(2)}× of the simulation`,
  );
}

const trials = Number(values.trials);
const jobs = Number(values.jobs);
// The dearest sort of trial: a model agent on a task with tests, every object of its attempts stored.
const main = await drive({ trials, jobs, sandbox: values.sandbox === "job" ? "job" : "namespace" });
print(main);
compareEstimate(main);
const { broken } = main;
const resident = process.resourceUsage().maxRSS / 1_024;
console.log(`largest resident size of the process: ${resident.toFixed(0)} MiB, at most ${memoryGoal} wanted`);
if (resident > memoryGoal) broken.push(`${resident.toFixed(0)} MiB of memory, ${memoryGoal} allowed`);
if (values.sandbox === undefined) {
  print(await drive({ trials, jobs, sandbox: "namespace", scenarioEvery: 2 }));
  print(await drive({ trials, jobs, sandbox: "job" }));
}
for (const complaint of broken) console.log(`NOT KEPT: ${complaint}`);
process.exitCode = broken.length === 0 ? 0 : 1;
