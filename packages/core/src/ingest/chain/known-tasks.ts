import { flagsOf, type Known, readFlags } from "./index-line.ts";

/** Words of 64 bits a slot: id, entry, task, solutions. */
const STRIDE = 4;
/** Flags of a task that is gone: it keeps an older line from being believed. */
const GONE = 4;

/**
 * What is known of each task of a source, by the hash of its id: 37 bytes a slot, at most 106 a task, where a Map of
 * objects takes 300 and more. Open addressing; nothing is ever taken out.
 */
export class KnownTasks {
  #words = new BigUint64Array(1024 * STRIDE);
  #counts = new Uint32Array(1024);
  #flags = new Uint8Array(1024);
  #size = 0;

  /** Lines, those of tasks that are gone included. */
  get size(): number {
    return this.#size;
  }

  get(hash: bigint): Known | undefined {
    const slot = this.#find(idWord(hash));
    if (this.#word(slot, 0) === 0n) return undefined;
    const flags = readFlags(this.#flags[slot] ?? 0);
    return (
      flags && {
        entry: this.#word(slot, 1),
        task: this.#word(slot, 2),
        solutions: this.#word(slot, 3),
        count: this.#counts[slot] ?? 0,
        ...flags,
      }
    );
  }

  /** Takes what is said of a task unless something is known already. @param known `undefined`: it is gone. */
  addOlder(hash: bigint, known: Known | undefined): void {
    const id = idWord(hash);
    const slot = this.#find(id);
    if (this.#word(slot, 0) !== 0n) return;
    this.#write(slot, id, known);
    this.#size += 1;
    if (this.#size > this.#flags.length * 0.7) this.#grow();
  }

  #write(slot: number, id: bigint, known: Known | undefined): void {
    this.#words[slot * STRIDE] = id;
    this.#words[slot * STRIDE + 1] = known?.entry ?? 0n;
    this.#words[slot * STRIDE + 2] = known?.task ?? 0n;
    this.#words[slot * STRIDE + 3] = known?.solutions ?? 0n;
    this.#counts[slot] = known?.count ?? 0;
    this.#flags[slot] = known === undefined ? GONE : flagsOf(known);
  }

  #word(slot: number, column: number): bigint {
    return this.#words[slot * STRIDE + column] ?? 0n;
  }

  /** The slot that holds the id, or else the free one where it belongs. */
  #find(id: bigint): number {
    const mask = this.#flags.length - 1;
    let slot = Number(id & BigInt(mask));
    for (let found = this.#word(slot, 0); found !== 0n && found !== id; found = this.#word(slot, 0)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const [words, counts, flags] = [this.#words, this.#counts, this.#flags];
    this.#words = new BigUint64Array(words.length * 2);
    this.#counts = new Uint32Array(counts.length * 2);
    this.#flags = new Uint8Array(flags.length * 2);
    for (let old = 0; old < flags.length; old += 1) {
      const id = words[old * STRIDE] ?? 0n;
      if (id === 0n) continue;
      const slot = this.#find(id);
      this.#words.set(words.subarray(old * STRIDE, (old + 1) * STRIDE), slot * STRIDE);
      this.#counts[slot] = counts[old] ?? 0;
      this.#flags[slot] = flags[old] ?? 0;
    }
  }
}

/** 0 marks a free slot; an id's hash is 0 once in 2^64. */
function idWord(hash: bigint): bigint {
  return hash === 0n ? 1n : hash;
}
