import { createHash } from "node:crypto";
import { throwIfCancelled } from "../dataset/collect-trials.ts";
import { hashId, IdSet } from "../ingest/id-set.ts";
import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import { createRedactor } from "../redact/create.ts";
import { redactionsOf } from "../redact/redactor.ts";
import { lines } from "../streams.ts";
import type { Episode } from "./episode.ts";
import type { EpisodeOrigin, EpisodeProblem, Found, ProblemKind } from "./found.ts";

/** Problems that are told one by one; all are counted. */
const mostTold = 100;

export interface CollectedEpisode {
  /** Place in the order of the inputs, from 0; an episode that came again has the place of its first. */
  position: number;
  episode: Episode;
  origin: EpisodeOrigin;
}

/** The episodes of all inputs, fixed in a scratch file before anything is made of them. */
export interface Collected extends AsyncDisposable {
  episodes: number;
  /** Episodes that a later one of the same id replaced. */
  duplicates: number;
  putAside: Partial<Record<ProblemKind, number>>;
  /** The first hundred. */
  problems: readonly EpisodeProblem[];
  /** Secrets that were taken out of the episodes, by kind; absent when there were none. */
  redactions?: Record<string, number>;
  /** SHA-256 over all that was found, in its order. */
  digest: string;
  /** In the order of the inputs, each id once: the last one of an id stands. */
  read(): AsyncGenerator<CollectedEpisode>;
}

export interface CollectDeps {
  scratch: Scratch;
  /** Sees every episode while it is written. */
  onEpisode?: (episode: Episode) => void;
  /** Episodes so far. */
  onProgress?: ((episodes: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Writes what the inputs hold to a scratch file, without secrets: sources and files are as they were given. Memory grows by some 20 bytes an episode, by which one that comes
 * again is found.
 * @throws TracemillError `cancelled`, and what reading the inputs throws.
 */
export async function collectEpisodes(found: AsyncIterable<Found>, deps: CollectDeps): Promise<Collected> {
  const spool = await deps.scratch.create();
  try {
    const ids = new EpisodeIds();
    const aside = new PutAside();
    const digest = createHash("sha256");
    const redactor = createRedactor();
    for await (const given of found) {
      throwIfCancelled(deps.signal);
      const one = redactor.json(given);
      const line = `${JSON.stringify(one)}\n`;
      digest.update(line);
      if ("problem" in one) {
        aside.add(one.problem);
        continue;
      }
      ids.add(one.episode.episode_id);
      deps.onEpisode?.(one.episode);
      await spool.write(line);
      deps.onProgress?.(ids.lines);
    }
    return { ...collectionOf(spool, ids, aside, digest.digest("hex")), ...redactionsOf(redactor) };
  } catch (error) {
    await spool[Symbol.asyncDispose]();
    throw error;
  }
}

function collectionOf(spool: ScratchFile, ids: EpisodeIds, aside: PutAside, digest: string): Collected {
  return {
    episodes: ids.distinct,
    duplicates: ids.lines - ids.distinct,
    putAside: aside.counts,
    problems: aside.told,
    digest,
    async *read() {
      let line = 0;
      for await (const text of lines(spool.read())) {
        const { episode, origin } = JSON.parse(text) as CollectedEpisode;
        const place = ids.placeOf(episode.episode_id, line);
        if (place !== undefined) yield { position: place, episode, origin };
        line += 1;
      }
    },
    [Symbol.asyncDispose]: async () => spool[Symbol.asyncDispose](),
  };
}

class PutAside {
  readonly counts: Partial<Record<ProblemKind, number>> = {};
  readonly told: EpisodeProblem[] = [];

  add(problem: EpisodeProblem): void {
    this.counts[problem.kind] = (this.counts[problem.kind] ?? 0) + 1;
    if (this.told.length < mostTold) this.told.push(problem);
  }
}

/** Which lines of the spool stand. Ids that come again are few, so only those have an entry of their own. */
class EpisodeIds {
  lines = 0;
  readonly #seen = new IdSet();
  readonly #repeated = new Map<bigint, { first: number; last: number }>();

  get distinct(): number {
    return this.#seen.size;
  }

  add(id: string): void {
    const hash = hashId(id);
    const line = this.lines;
    this.lines += 1;
    if (this.#seen.add(hash)) return;
    const entry = this.#repeated.get(hash);
    // The first place is learnt when the spool is read.
    this.#repeated.set(hash, { first: entry?.first ?? -1, last: line });
  }

  /** The place of the episode on a line; none when a later line replaces it. Lines are asked for in order. */
  placeOf(id: string, line: number): number | undefined {
    if (this.#repeated.size === 0) return line;
    const entry = this.#repeated.get(hashId(id));
    if (entry === undefined) return line;
    if (entry.first === -1) entry.first = line;
    return line === entry.last ? entry.first : undefined;
  }
}
