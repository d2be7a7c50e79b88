import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import { lines } from "../streams.ts";

/** Characters of JSON that are sorted in memory; more makes fewer scratch files. */
const defaultBufferChars = 32 * 1024 * 1024;

interface SortDeps {
  scratch: Scratch;
  /** Default 32 Mi characters. */
  bufferChars?: number;
}

/**
 * Items in the order of their keys, which are compared by UTF-16 code units; equal keys keep their order. What is
 * more than a buffer waits in scratch files as JSON, so that memory does not grow with the items, but for a
 * read buffer a file.
 */
export async function* sortedBy<T>(
  items: AsyncIterable<T>,
  keyOf: (item: T) => string,
  { scratch, bufferChars = defaultBufferChars }: SortDeps,
): AsyncGenerator<T> {
  await using stack = new AsyncDisposableStack();
  const runs: ScratchFile[] = [];
  let buffer: Entry[] = [];
  let size = 0;
  for await (const item of items) {
    const line = JSON.stringify(item);
    buffer.push({ key: keyOf(item), line });
    size += line.length;
    if (size < bufferChars) continue;
    runs.push(await writeRun(sorted(buffer), stack.use(await scratch.create())));
    buffer = [];
    size = 0;
  }
  const parse = (line: string): T => JSON.parse(line) as T;
  const fromRuns = runs.map((run) => readRun(run, (line) => keyOf(parse(line))));
  for await (const { line } of merged([...fromRuns, inOrder(sorted(buffer))])) yield parse(line);
}

interface Entry {
  key: string;
  line: string;
}

function sorted(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => compare(a.key, b.key));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

async function writeRun(entries: readonly Entry[], file: ScratchFile): Promise<ScratchFile> {
  for (const { line } of entries) await file.write(`${line}\n`);
  return file;
}

async function* readRun(file: ScratchFile, keyOf: (line: string) => string): AsyncGenerator<Entry> {
  for await (const line of lines(file.read())) yield { key: keyOf(line), line };
}

async function* inOrder(entries: readonly Entry[]): AsyncGenerator<Entry> {
  yield* entries;
}

/** Of equal keys the one of the earlier source comes first. There are few sources: a scan finds the least. */
async function* merged(sources: AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  let heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
  for (;;) {
    heads = heads.filter(({ next }) => next.done !== true);
    const [first, ...others] = heads;
    if (first === undefined) return;
    let least = first;
    for (const head of others) if (compare(keyIn(head.next), keyIn(least.next)) < 0) least = head;
    yield least.next.value;
    least.next = await least.source.next();
  }
}

function keyIn(next: IteratorResult<Entry, undefined>): string {
  return next.value?.key ?? "";
}
