const size = 624;
const middle = 397;

/**
 * CPython's `random` with an integer seed: MT19937 (Matsumoto and Nishimura, 1998), seeded by `init_by_array`, and the
 * ways in which `Lib/random.py` draws from it. Same seed, same order as Python, on every machine.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(size);
  #next = size;

  /** @param seed a whole number; its sign does not count, as in Python. */
  constructor(seed: number) {
    this.#seedByArray(words(Math.abs(seed)));
  }

  /** `random.shuffle`: Fisher and Yates from the end. Changes `items`. */
  shuffle<T>(items: T[]): void {
    for (let last = items.length - 1; last > 0; last -= 1) {
      const other = this.below(last + 1);
      [items[last], items[other]] = [items[other] as T, items[last] as T];
    }
  }

  /** `random.choice`. @throws RangeError for an empty list. */
  choice<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError("nothing to choose from");
    return items[this.below(items.length)] as T;
  }

  /** `random._randbelow`: uniform in [0, limit), for limits below 2^32. Draws again what falls beyond. */
  below(limit: number): number {
    const bits = 32 - Math.clz32(limit);
    for (;;) {
      const drawn = this.#draw() >>> (32 - bits);
      if (drawn < limit) return drawn;
    }
  }

  #draw(): number {
    if (this.#next >= size) this.#twist();
    let word = this.#at(this.#next);
    this.#next += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist(): void {
    for (let index = 0; index < size; index += 1) {
      const mixed = (this.#at(index) & 0x80000000) | (this.#at((index + 1) % size) & 0x7fffffff);
      const odd = (mixed & 1) === 0 ? 0 : 0x9908b0df;
      this.#state[index] = this.#at((index + middle) % size) ^ (mixed >>> 1) ^ odd;
    }
    this.#next = 0;
  }

  #seedByArray(key: readonly number[]): void {
    this.#seedByNumber(19_650_218);
    let at = 1;
    for (let round = 0; round < Math.max(size, key.length); round += 1) {
      const from = round % key.length;
      const mixed = Math.imul(this.#scrambled(at - 1), 1_664_525);
      this.#state[at] = (this.#at(at) ^ mixed) + (key[from] ?? 0) + from;
      at = this.#advance(at);
    }
    for (let round = 0; round < size - 1; round += 1) {
      const mixed = Math.imul(this.#scrambled(at - 1), 1_566_083_941);
      this.#state[at] = (this.#at(at) ^ mixed) - at;
      at = this.#advance(at);
    }
    this.#state[0] = 0x80000000;
  }

  #seedByNumber(seed: number): void {
    this.#state[0] = seed;
    for (let index = 1; index < size; index += 1) {
      this.#state[index] = Math.imul(this.#scrambled(index - 1), 1_812_433_253) + index;
    }
  }

  #advance(at: number): number {
    if (at + 1 < size) return at + 1;
    this.#state[0] = this.#at(size - 1);
    return 1;
  }

  #scrambled(index: number): number {
    return this.#at(index) ^ (this.#at(index) >>> 30);
  }

  #at(index: number): number {
    return this.#state[index] as number;
  }
}

/** A number in 32-bit words, the lowest first; 0 is one word. */
function words(value: number): number[] {
  const high = Math.floor(value / 2 ** 32);
  return high === 0 ? [value >>> 0] : [value >>> 0, high];
}
