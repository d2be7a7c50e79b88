/** z of a two-sided 95 % interval. */
const z95 = 1.959963984540054;

/** Running sums of rewards; all that the estimates need. */
export class RewardTally {
  n = 0;
  sum = 0;
  sumOfSquares = 0;
  /** Whether every reward so far is 0 or 1. */
  binary = true;

  add(reward: number): void {
    this.n += 1;
    this.sum += reward;
    this.sumOfSquares += reward * reward;
    this.binary &&= reward === 0 || reward === 1;
  }
}

export interface Estimate {
  n: number;
  mean: number;
  low: number;
  high: number;
}

/**
 * Mean with its 95 % confidence interval: Wilson's score interval for rewards of 0 and 1, else the normal
 * approximation with the sample variance. `undefined` without rewards.
 */
export function meanEstimate(tally: Omit<RewardTally, "add">): Estimate | undefined {
  const { n, sum, sumOfSquares, binary } = tally;
  if (n === 0) return undefined;
  const mean = sum / n;
  if (binary) return { n, mean, ...wilson(mean, n) };
  const variance = n > 1 ? Math.max(0, (sumOfSquares - n * mean * mean) / (n - 1)) : 0;
  const half = z95 * Math.sqrt(variance / n);
  return { n, mean, low: mean - half, high: mean + half };
}

function wilson(p: number, n: number): { low: number; high: number } {
  const z2 = z95 * z95;
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (z95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}
