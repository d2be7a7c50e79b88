import { createHash } from "node:crypto";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { atOnce } from "./at-once.ts";
import type { Ledger } from "./ledger.ts";
import { isDerived, type ObjectGroup, type ObjectPair } from "./object-groups.ts";
import type { SyncTally } from "./tally.ts";

export interface CopyDeps {
  source: ObjectStore;
  target: ObjectStore;
  ledger: Ledger;
  tally: SyncTally;
  /** Only counts. */
  dryRun: boolean;
}

/** Objects of one group at once. */
const membersAtOnce = 4;

/**
 * Brings one group of objects from the source to the target. What closes it goes last, so that a group that looks whole
 * is whole, however often this is killed.
 */
export async function copyGroup({ closer, pairs }: ObjectGroup, deps: CopyDeps): Promise<void> {
  const last = pairs.find(({ key }) => key === closer);
  const isClosedThere = closer === undefined || last?.target !== undefined;
  // A whole group there, and one that is still being written here: nothing here is newer.
  if (closer !== undefined && isClosedThere && last?.source === undefined) {
    for (const { source } of pairs) if (source !== undefined) deps.tally.add("ahead");
    return;
  }
  const members = pairs.filter((pair) => pair !== last);
  await atOnce(members, membersAtOnce, (pair) => copyOne(pair, isClosedThere, deps));
  if (last !== undefined) await copyOne(last, isClosedThere, deps);
}

/** @param isSettled the object there, if there is one, is in its final form. */
async function copyOne(pair: ObjectPair, isSettled: boolean, deps: CopyDeps): Promise<void> {
  const { key, source, target } = pair;
  const { tally } = deps;
  if (source === undefined) return;
  if (isDerived(key)) return copyDerived(pair, deps);
  if (target === undefined) return transfer(pair, "copied", deps);
  // Of a group that is still open there, an object of the same size may be an earlier one.
  if (!isSettled) return transfer(pair, "replaced", deps);
  if (source === target) return tally.add("same");
  tally.conflict(key, `${source} bytes here, ${target} there, and it should never change`);
}

async function copyDerived(pair: ObjectPair, deps: CopyDeps): Promise<void> {
  const { key, target } = pair;
  const here = await hashOf(key, deps.source);
  if (here === undefined) return;
  const there = target === undefined ? undefined : await hashOf(key, deps.target);
  const what = `object ${key}`;
  const verdict = await deps.ledger.judge(what, here, there);
  if (verdict === "copy") {
    await transfer(pair, there === undefined ? "copied" : "replaced", deps);
    // It may have changed once more between the two reads.
    if (!deps.dryRun) await deps.ledger.settle(what, (await hashOf(key, deps.target)) ?? here);
  } else if (verdict === "conflict") deps.tally.conflict(key, "changed on both sides");
  else deps.tally.add(verdict);
}

async function transfer(pair: ObjectPair, how: "copied" | "replaced", deps: CopyDeps): Promise<void> {
  const { key } = pair;
  const { source, target, tally, dryRun } = deps;
  if (dryRun) tally.addBytes(pair.source ?? 0);
  else {
    const body = await source.get(key);
    // Deleted since it was listed (an ingest's checkpoint).
    if (body === undefined) return;
    const counted = counting(body, tally);
    if (how === "replaced") await target.put(key, counted);
    else await target.putIfAbsent(key, counted);
  }
  tally.add(how);
}

async function* counting(body: AsyncIterable<Uint8Array>, tally: SyncTally): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    tally.addBytes(chunk.byteLength);
    yield chunk;
  }
}

async function hashOf(key: string, objects: ObjectStore): Promise<string | undefined> {
  const body = await objects.get(key);
  if (body === undefined) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of body) hash.update(chunk);
  return hash.digest("hex");
}
