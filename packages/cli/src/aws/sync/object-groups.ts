import { compareKeys } from "@tracemill/core/ports/object-key.ts";
import type { ObjectInfo, ObjectStore } from "@tracemill/core/ports/object-store.ts";

/** An object by its size on both sides; `undefined` where it is not. */
export interface ObjectPair {
  key: string;
  source: number | undefined;
  target: number | undefined;
}

/** Objects that belong together: once the last of them is written, none changes any more. */
export interface ObjectGroup {
  /** Key of the last one; `undefined` for an object on its own, which never changes. */
  closer: string | undefined;
  pairs: ObjectPair[];
}

/** The folders whose objects belong together, and which of them is written last. */
const closers: readonly [RegExp, string][] = [
  [/^raw\/[^/]+\/[^/]+\//, "manifest.json"],
  [/^prepared\/[^/]+\/[^/]+\//, "manifest.json"],
  [/^runs\/[^/]+\/trials\/[^/]+\/[^/]+\//, "result.json"],
  [/^runs\/[^/]+\/plan\//, "shards.json"],
  [/^datasets\/[^/]+\/[^/]+\//, "manifest.json"],
];

/** Written anew whenever a run goes on or ends, or by people. */
const derived = /^(runs\/[^/]+\/(results\.csv|summary\.json|report\.json)|specs\/[^/]+)$/;

/** The state machine's own lists: they mean nothing elsewhere. */
const notCopied = /^runs\/[^/]+\/rounds\//;

/** Whether an object may change after it was written whole. */
export function isDerived(key: string): boolean {
  return derived.test(key);
}

/** The key of the object that closes the group of `key`. */
export function closerOf(key: string): string | undefined {
  for (const [folder, last] of closers) {
    const [start] = folder.exec(key) ?? [];
    if (start !== undefined) return `${start}${last}`;
  }
  return undefined;
}

/** The objects below a prefix in both stores, group by group. Holds one group at a time. */
export async function* groupsBelow(
  prefix: string,
  source: ObjectStore,
  target: ObjectStore,
): AsyncGenerator<ObjectGroup> {
  let group: ObjectGroup | undefined;
  for await (const pair of pairsBelow(prefix, source, target)) {
    if (notCopied.test(pair.key)) continue;
    const closer = closerOf(pair.key);
    if (group !== undefined && (closer === undefined || closer !== group.closer)) {
      yield group;
      group = undefined;
    }
    group ??= { closer, pairs: [] };
    group.pairs.push(pair);
  }
  if (group !== undefined) yield group;
}

/** One object as a group of its own. */
export async function groupOf(key: string, source: ObjectStore, target: ObjectStore): Promise<ObjectGroup> {
  const [from, to] = await Promise.all([source.head(key), target.head(key)]);
  return { closer: undefined, pairs: [{ key, source: from?.size, target: to?.size }] };
}

/** Both listings are in the same order, so that one pass over them finds what is where. */
async function* pairsBelow(
  prefix: string,
  source: ObjectStore,
  target: ObjectStore,
): AsyncGenerator<ObjectPair> {
  const left = source.list(prefix)[Symbol.asyncIterator]();
  const right = target.list(prefix)[Symbol.asyncIterator]();
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (a.done !== true || b.done !== true) {
    const order = orderOf(a, b);
    const key = order <= 0 ? a.value.key : b.value.key;
    yield {
      key,
      source: order <= 0 ? a.value.size : undefined,
      target: order >= 0 ? b.value.size : undefined,
    };
    [a, b] = await Promise.all([order <= 0 ? left.next() : a, order >= 0 ? right.next() : b]);
  }
}

/** Below 0: the left one comes first. An end comes after everything. */
function orderOf(a: IteratorResult<ObjectInfo>, b: IteratorResult<ObjectInfo>): number {
  if (a.done === true) return 1;
  return b.done === true ? -1 : compareKeys(a.value.key, b.value.key);
}
