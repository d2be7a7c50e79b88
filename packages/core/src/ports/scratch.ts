/** Temporary files for work that is larger than memory. */
export interface ScratchFile extends AsyncDisposable {
  write(chunk: string | Uint8Array): Promise<void>;
  /** Bytes written so far. */
  readonly size: number;
  /** Reads from the start; the file is closed for writing from then on. */
  read(): AsyncIterable<Uint8Array>;
}

export interface Scratch {
  create(): Promise<ScratchFile>;
}
