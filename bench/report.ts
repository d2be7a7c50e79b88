import { setTimeout as sleep } from "node:timers/promises";

/** Prints one figure: what it is, its value, the goal, and how far it is on the good side (above 1 is good). */
export function report(
  what: string,
  value: number,
  unit: string,
  goal: { atMost?: number; atLeast?: number },
): void {
  const { atMost, atLeast } = goal;
  const ratio = atMost === undefined ? value / (atLeast ?? value) : atMost / value;
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  console.log(
    `${what.padEnd(44)} ${value.toFixed(2).padStart(10)} ${unit.padEnd(10)} goal ${bound} ${unit}: ${ratio.toFixed(2)}×`,
  );
}

/** Prints two figures of the same work side by side. */
export function compare(what: string, ours: number, theirs: number, unit: string, their: string): void {
  console.log(
    `${what.padEnd(44)} ${ours.toFixed(2).padStart(10)} ${unit.padEnd(10)} ${their} ${theirs.toFixed(2)} ${unit}: ${(theirs / ours).toFixed(2)}×`,
  );
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
