/** Each bucket reaches from a bound to 1.02 times it: a quantile is within 1 % of a value of the sample. */
const growth = 1.02;
const logGrowth = Math.log(growth);

/** Quantiles of durations in flat memory (Masson et al., DDSketch, https://arxiv.org/abs/1908.10693). */
export class TimeSketch {
  readonly #buckets = new Map<number, number>();
  #n = 0;
  #sum = 0;
  #max = 0;

  get n(): number {
    return this.#n;
  }

  get max(): number {
    return this.#max;
  }

  get mean(): number {
    return this.#n === 0 ? 0 : this.#sum / this.#n;
  }

  /** @param ms a clock that was set back makes an attempt shorter than nothing: it counts as 0. */
  add(ms: number): void {
    const value = Math.max(0, ms);
    const bucket = value < 1 ? 0 : 1 + Math.ceil(Math.log(value) / logGrowth);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#n += 1;
    this.#sum += value;
    this.#max = Math.max(this.#max, value);
  }

  /** The smallest value that at least the share `q` of the sample does not exceed, within 1 %; 0 without a sample. */
  quantile(q: number): number {
    let left = Math.max(1, Math.ceil(q * this.#n));
    for (const bucket of [...this.#buckets.keys()].sort((a, b) => a - b)) {
      left -= this.#buckets.get(bucket) ?? 0;
      if (left <= 0) return Math.min(middleOf(bucket), this.#max);
    }
    return 0;
  }
}

function middleOf(bucket: number): number {
  return bucket === 0 ? 0 : (2 * growth ** (bucket - 1)) / (growth + 1);
}
