/** Counts by second. Memory: 8 bytes a simulated second. */
export class Rate {
  #bins = new Float64Array(4_096);
  #total = 0;

  add(second: number, amount = 1): void {
    const bin = Math.floor(second);
    if (bin >= this.#bins.length) this.#grow(bin);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + amount;
    this.#total += amount;
  }

  get total(): number {
    return this.#total;
  }

  /** The largest sum over `seconds` on end, as a rate a second. */
  peak(seconds = 1): number {
    let sum = 0;
    let largest = 0;
    for (let bin = 0; bin < this.#bins.length; bin += 1) {
      sum += this.#bins[bin] ?? 0;
      if (bin >= seconds) sum -= this.#bins[bin - seconds] ?? 0;
      largest = Math.max(largest, sum);
    }
    return largest / seconds;
  }

  /** Sums of `seconds` each, from the beginning. */
  *windows(seconds: number): Generator<number> {
    for (let start = 0; start < this.#bins.length; start += seconds) {
      let sum = 0;
      for (const amount of this.#bins.subarray(start, start + seconds)) sum += amount;
      yield sum;
    }
  }

  #grow(bin: number): void {
    const larger = new Float64Array(Math.max(bin + 1, 2 * this.#bins.length));
    larger.set(this.#bins);
    this.#bins = larger;
  }
}

/** A level that goes up and down, and the highest that it was. */
export class Level {
  #now = 0;
  #highest = 0;

  change(by: number): void {
    this.#now += by;
    this.#highest = Math.max(this.#highest, this.#now);
  }

  get highest(): number {
    return this.#highest;
  }
}
