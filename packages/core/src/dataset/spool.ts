import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import type { ExportSpec } from "../run/export-spec.ts";
import type { DatasetFormat } from "./columns.ts";

export interface Shard {
  rows: number;
  /** JSON bytes in the spool. */
  bytes: number;
}

/** The rows of one format and split on their way to files: one scratch file and where its shards end. */
export class RowSpool {
  readonly format: DatasetFormat;
  readonly split: string;
  readonly file: ScratchFile;
  readonly shards: Shard[] = [{ rows: 0, bytes: 0 }];
  readonly #shardBytes: number;

  constructor(format: DatasetFormat, split: string, file: ScratchFile, shardBytes: number) {
    this.format = format;
    this.split = split;
    this.file = file;
    this.#shardBytes = shardBytes;
  }

  get rows(): number {
    return this.shards.reduce((sum, { rows }) => sum + rows, 0);
  }

  async write(line: string): Promise<void> {
    const bytes = Buffer.from(`${line}\n`);
    const last = this.shards.at(-1) ?? { rows: 0, bytes: 0 };
    const isFull = last.rows > 0 && last.bytes + bytes.byteLength > this.#shardBytes;
    if (isFull) this.shards.push({ rows: 1, bytes: bytes.byteLength });
    else {
      last.rows += 1;
      last.bytes += bytes.byteLength;
    }
    await this.file.write(bytes);
  }
}

export interface Spools extends AsyncDisposable {
  all: readonly RowSpool[];
  /** Lineage of every row, one JSON value a line. */
  lineage: ScratchFile;
  of(format: DatasetFormat, split: string): RowSpool;
}

/** One spool for each format and split of the spec. */
export async function openSpools(
  spec: ExportSpec,
  formats: readonly DatasetFormat[],
  scratch: Scratch,
): Promise<Spools> {
  await using stack = new AsyncDisposableStack();
  const create = async (): Promise<ScratchFile> => stack.use(await scratch.create());
  const all: RowSpool[] = [];
  for (const format of formats) {
    for (const split of Object.keys(spec.splits)) {
      all.push(new RowSpool(format, split, await create(), spec.shardBytes));
    }
  }
  const lineage = await create();
  const owned = stack.move();
  return {
    all,
    lineage,
    of(format, split) {
      const spool = all.find((each) => each.format === format && each.split === split);
      if (spool === undefined) throw new RangeError(`no spool for ${format}/${split}`);
      return spool;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Deals a stream out in pieces of given sizes, one after another. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** The next `bytes` bytes. Read it to its end before the next call. */
  async *take(bytes: number): AsyncGenerator<Uint8Array> {
    for (let left = bytes; left > 0; ) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new RangeError(`the stream ended ${left} bytes early`);
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.byteLength);
      left -= piece.byteLength;
      yield piece;
    }
  }

  async skip(bytes: number): Promise<void> {
    for await (const _ of this.take(bytes));
  }
}
