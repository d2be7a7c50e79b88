import { Writable } from "node:stream";

/** Of a process id. */
const mostDigits = 10;

/** Takes the line away with which `startScript` begins, a process id, and passes on the rest. */
export class FirstLine extends Writable {
  readonly #rest: Writable;
  readonly #found: (pid: number | undefined) => void;
  #line: Buffer | undefined = Buffer.alloc(0);

  /** @param found told once, with `undefined` when what comes is no such line. */
  constructor(rest: Writable, found: (pid: number | undefined) => void) {
    super();
    this.#rest = rest;
    this.#found = found;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const rest = this.#line === undefined ? chunk : this.#afterLine(chunk);
    this.#forward(rest, done);
  }

  override _final(done: () => void): void {
    this.#forward(this.#line ?? Buffer.alloc(0), done);
  }

  #afterLine(chunk: Buffer): Buffer {
    const line = Buffer.concat([this.#line ?? Buffer.alloc(0), chunk]);
    const cut = line.indexOf(0x0a);
    if (cut < 0 && line.length <= mostDigits) {
      this.#line = line;
      return Buffer.alloc(0);
    }
    this.#line = undefined;
    const pid = /^\d{1,10}$/.exec(line.toString("latin1", 0, Math.max(0, cut)))?.[0];
    this.#found(pid === undefined ? undefined : Number(pid));
    return pid === undefined ? line : line.subarray(cut + 1);
  }

  #forward(chunk: Buffer, done: () => void): void {
    if (chunk.length === 0 || this.#rest.destroyed || this.#rest.write(chunk)) done();
    else this.#rest.once("drain", done);
  }
}
