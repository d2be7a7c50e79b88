import { createHash } from "node:crypto";

/**
 * The first 64 bits of the SHA-256 of an id. Among ten million ids two share them with a chance of
 * 3 in a million (n^2 / 2^65).
 */
export function hashId(id: string): bigint {
  return createHash("sha256").update(id).digest().readBigUInt64LE(0);
}

/** A set of id hashes at 11 to 22 bytes an id, where a Set of strings takes 60 and more. Open addressing. */
export class IdSet {
  #slots = new BigUint64Array(1024);
  #size = 0;
  /** 0 marks a free slot, so the hash 0 is kept apart. */
  #hasZero = false;

  get size(): number {
    return this.#size;
  }

  has(hash: bigint): boolean {
    return hash === 0n ? this.#hasZero : this.#slots[this.#find(hash)] === hash;
  }

  /** @returns false when it was there already. */
  add(hash: bigint): boolean {
    if (this.has(hash)) return false;
    this.#size += 1;
    if (hash === 0n) this.#hasZero = true;
    else {
      this.#slots[this.#find(hash)] = hash;
      if (this.#size > this.#slots.length * 0.7) this.#grow();
    }
    return true;
  }

  /** The slot that holds the hash, or else the free one where it belongs. */
  #find(hash: bigint): number {
    const mask = this.#slots.length - 1;
    let index = Number(hash & BigInt(mask));
    while (this.#slots[index] !== 0n && this.#slots[index] !== hash) index = (index + 1) & mask;
    return index;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new BigUint64Array(old.length * 2);
    for (const hash of old) if (hash !== 0n) this.#slots[this.#find(hash)] = hash;
  }
}
