import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What a benchmark is given. */
export interface BenchArgs {
  /** At the full size of the goal, where that takes minutes. */
  large: boolean;
  /** Keep what was built for the measurement, and use what an earlier run kept. */
  keep: boolean;
}

/** One figure, or why there is none. */
export interface Line {
  bench: string;
  what: string;
  value?: number;
  unit?: string;
  /** What it is held against: a goal, or a public tool measured in the same run. */
  against?: string;
  /** How far it is on the good side: above 1 is good. */
  ratio?: number;
  /** Why there is no figure: what this machine lacks. */
  missing?: string;
}

/** All lines so far, in order. */
export const lines: Line[] = [];

let current = "";

/** Names the benchmark whose lines come next. */
export function beginBench(name: string): void {
  current = name;
  console.log(`\n== ${name}`);
}

function say(line: Omit<Line, "bench">): void {
  const full = { bench: current, ...line };
  lines.push(full);
  console.log(lineText(full));
}

function lineText({ what, value, unit = "", against, ratio, missing: lacking }: Line): string {
  if (value === undefined) return `${what.padEnd(52)} missing: ${lacking}`;
  const figure = `${what.padEnd(52)} ${value.toFixed(2).padStart(11)} ${unit.padEnd(9)}`;
  return against === undefined ? figure.trimEnd() : `${figure} ${against}: ${ratio?.toFixed(2)}×`;
}

/** A figure held against a goal. */
export function report(
  what: string,
  value: number,
  unit: string,
  goal: { atMost?: number; atLeast?: number },
): void {
  const { atMost, atLeast } = goal;
  const ratio = atMost === undefined ? value / (atLeast ?? value) : atMost / value;
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  say({ what, value, unit, against: `goal ${bound} ${unit}`, ratio });
}

/** Two figures of the same work side by side, less being better; `atLeast`: the ratio that is the goal. */
export function compare(
  what: string,
  ours: number,
  theirs: number,
  unit: string,
  their: string,
  atLeast?: number,
): void {
  const goal = atLeast === undefined ? "" : `, goal at least ${atLeast}×`;
  say({
    what,
    value: ours,
    unit,
    against: `${their} ${theirs.toFixed(2)} ${unit}${goal}`,
    ratio: theirs / ours,
  });
}

/** A figure with nothing to hold it against. */
export function note(what: string, value: number, unit: string): void {
  say({ what, value, unit });
}

/** A figure that this machine cannot give. */
export function missing(what: string, why: string): void {
  say({ what, missing: why });
}

/** All lines once more, in one table. */
export function sayTable(): void {
  console.log("\n== summary");
  for (const line of lines) console.log(`${line.bench.padEnd(10)} ${lineText(line)}`);
}

export async function writeJson(file: string): Promise<void> {
  await writeFile(file, `${JSON.stringify({ at: new Date().toISOString(), lines }, null, 2)}\n`);
}

/** Live memory in MiB: what is left after collections, with `--expose-gc`. */
export async function liveMiB(): Promise<number> {
  for (let round = 0; round < 2; round += 1) {
    // Weak references are let go between turns of the event loop only.
    await sleep(200);
    (globalThis as { gc?: () => void }).gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1024 ** 2;
}
