import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import { type Row, rowLine } from "./json-row.ts";
import { defaultShardBytes, type TableDefinition } from "./table-definition.ts";

export interface Shard {
  rows: number;
  /** JSON bytes in the spool. */
  bytes: number;
  /** Rows that belong together count once. */
  units: number;
}

/** The rows of one table and split on their way to files: one scratch file and where its shards end. */
export class RowSpool {
  readonly table: TableDefinition;
  readonly split: string;
  readonly file: ScratchFile;
  readonly shards: Shard[] = [{ rows: 0, bytes: 0, units: 0 }];
  readonly #shardBytes: number;

  constructor(table: TableDefinition, split: string, file: ScratchFile, shardBytes: number) {
    this.table = table;
    this.split = split;
    this.file = file;
    this.#shardBytes = shardBytes;
  }

  get rows(): number {
    return this.shards.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** @param joinsPrevious the row stays in the shard of the row before it, as the same unit. */
  async write(row: Row, joinsPrevious = false): Promise<void> {
    if (!joinsPrevious) this.#last().units += 1;
    let line = this.#line(row);
    if (!joinsPrevious && this.#isFull(line)) {
      this.#last().units -= 1;
      this.shards.push({ rows: 0, bytes: 0, units: 1 });
      line = this.#line(row);
    }
    const last = this.#last();
    last.rows += 1;
    last.bytes += line.byteLength;
    await this.file.write(line);
  }

  #line(row: Row): Uint8Array {
    const { unitColumn } = this.table;
    const numbered = unitColumn === undefined ? row : { ...row, [unitColumn]: this.#last().units - 1 };
    return Buffer.from(`${rowLine(numbered)}\n`);
  }

  #isFull(line: Uint8Array): boolean {
    const { rows, bytes } = this.#last();
    return rows > 0 && bytes + line.byteLength > this.#shardBytes;
  }

  #last(): Shard {
    const last = this.shards.at(-1);
    if (last === undefined) throw new RangeError("a spool has a shard from the start");
    return last;
  }
}

export interface Spools extends AsyncDisposable {
  all: readonly RowSpool[];
  /** Lineage of every row, one JSON value a line. */
  lineage: ScratchFile;
  of(table: string, split: string): RowSpool;
}

interface SpoolRequest {
  tables: readonly TableDefinition[];
  splits: readonly string[];
  shardBytes?: number;
}

/** One spool for each table and split. */
export async function openSpools(
  { tables, splits, shardBytes = defaultShardBytes }: SpoolRequest,
  scratch: Scratch,
): Promise<Spools> {
  await using stack = new AsyncDisposableStack();
  const create = async (): Promise<ScratchFile> => stack.use(await scratch.create());
  const all: RowSpool[] = [];
  for (const table of tables) {
    for (const split of splits) all.push(new RowSpool(table, split, await create(), shardBytes));
  }
  const lineage = await create();
  const owned = stack.move();
  return {
    all,
    lineage,
    of(table, split) {
      const spool = all.find((each) => each.table.name === table && each.split === split);
      if (spool === undefined) throw new RangeError(`no spool for ${table}/${split}`);
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
