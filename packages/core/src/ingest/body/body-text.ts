const MIB = 1024 * 1024;

/** The text of an answer's body, as much at a time as is asked for. */
export class BodyText {
  /** Whether there is no more. */
  done = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #decoder = new TextDecoder();
  readonly #onProgress: (() => void) | undefined;
  #bytes = 0;

  /** @param onProgress told of each MiB. */
  constructor(response: Response, onProgress?: () => void) {
    this.#reader = response.body?.getReader();
    this.#onProgress = onProgress;
  }

  /** The next text: all there is, or at least `bytes` of it and at most one chunk more. */
  async upTo(bytes: number): Promise<string> {
    let text = "";
    for (let taken = 0; taken < bytes && !this.done; ) {
      const next = await this.#reader?.read();
      if (next === undefined || next.done) {
        this.done = true;
        return text + this.#decoder.decode();
      }
      text += this.#decoder.decode(next.value, { stream: true });
      taken += next.value.byteLength;
      this.#count(next.value.byteLength);
    }
    return text;
  }

  /** Reads no further. */
  async cancel(): Promise<void> {
    this.done = true;
    // It fails when the connection broke before, which was heard of then.
    await this.#reader?.cancel().catch(() => undefined);
  }

  #count(bytes: number): void {
    const before = Math.floor(this.#bytes / MIB);
    this.#bytes += bytes;
    if (Math.floor(this.#bytes / MIB) > before) this.#onProgress?.();
  }
}
