import type { Scratch, ScratchFile } from "../ports/scratch.ts";
import { lines } from "../streams.ts";
import { type Episode, isSuccess, stepId } from "./episode.ts";
import { hash48 } from "./hash48.ts";

export interface PairOptions {
  /** Most pairs over all splits. */
  most: number;
  /** How many of an episode's last steps take part. */
  recent: number;
  seed: number;
}

/** A step that leads to success, and one that does not. */
export interface Pair {
  split: string;
  /** `task`: both are of one task. `website`: of two tasks of one website, neither of which has both kinds. */
  scope: "task" | "website";
  pos_id: string;
  neg_id: string;
  pos_score: number;
  neg_score: number;
  task_id: string | null;
  project_id: string | null;
  group: string;
}

/** Where an episode is in a dataset. */
export interface PairPlace {
  split: string;
  group: string;
  /** Which source its task is of; two sources may number their tasks alike. */
  source: string;
}

interface Candidate extends PairPlace {
  task: string | null;
  website: string | null;
  isGood: boolean;
  score: number;
  ids: string[];
}

/** Within what steps are compared: the name of a candidate's pool, or none. */
type PoolOf = (candidate: Candidate) => string | undefined;

/**
 * Gathers the last steps of episodes and pairs good ones with bad ones of the same task; what room is left goes to
 * tasks whose episodes all ended alike, paired within their website. A pair across tasks would teach which task it
 * is. Which steps are taken hangs on a hash of the seed and their names, not on the order of the episodes: a
 * reservoir that is the same in every run. Memory: at most two ids for each pair, and some 60 bytes for each task.
 */
export class PairMaker implements AsyncDisposable {
  readonly #spool: ScratchFile;
  readonly #options: PairOptions;

  private constructor(spool: ScratchFile, options: PairOptions) {
    this.#spool = spool;
    this.#options = options;
  }

  static async open(options: PairOptions, scratch: Scratch): Promise<PairMaker> {
    return new PairMaker(await scratch.create(), options);
  }

  async add(episode: Episode, place: PairPlace): Promise<void> {
    const { episode_id: id, steps, task_id: task = null, project_id: website = null } = episode;
    const ids = steps.slice(-this.#options.recent).map((step) => stepId(id, step));
    const isGood = isSuccess(episode);
    const candidate: Candidate = { ...place, task, website, isGood, score: episode.final_score, ids };
    await this.#spool.write(`${JSON.stringify(candidate)}\n`);
  }

  /** Call it once, after the last episode. */
  async *pairs(): AsyncGenerator<Pair> {
    const ofTask: PoolOf = ({ task, split, source }) =>
      task === null ? undefined : JSON.stringify([split, source, task]);
    const tasks = await this.#mixedPools(ofTask);
    let left = this.#options.most;
    for await (const pair of this.#pairsWithin(ofTask, tasks, left)) {
      left -= 1;
      yield { ...pair, scope: "task" };
    }
    const ofWebsite: PoolOf = (candidate) => {
      const task = ofTask(candidate);
      if (candidate.website === null || (task !== undefined && tasks.has(hash48(task)))) return undefined;
      return JSON.stringify([candidate.split, candidate.website]);
    };
    if (left === 0) return;
    const websites = await this.#mixedPools(ofWebsite);
    for await (const pair of this.#pairsWithin(ofWebsite, websites, left))
      yield { ...pair, scope: "website" };
  }

  /** Pools with good and bad steps, by the hash of their name. */
  async #mixedPools(poolOf: PoolOf): Promise<ReadonlySet<number>> {
    const seen = new Map<number, "good" | "bad" | "both">();
    for await (const candidate of this.#candidates()) {
      const pool = poolOf(candidate);
      if (pool === undefined) continue;
      const key = hash48(pool);
      const kind = candidate.isGood ? "good" : "bad";
      const before = seen.get(key) ?? kind;
      seen.set(key, before === kind ? kind : "both");
    }
    return new Set([...seen].flatMap(([key, kind]) => (kind === "both" ? [key] : [])));
  }

  async *#pairsWithin(
    poolOf: PoolOf,
    mixed: ReadonlySet<number>,
    most: number,
  ): AsyncGenerator<Omit<Pair, "scope">> {
    const { seed } = this.#options;
    const chosen = [...mixed]
      .toSorted((a, b) => hash48(`${seed}\n${a}`) - hash48(`${seed}\n${b}`))
      .slice(0, most);
    if (chosen.length === 0) return;
    const each = Math.floor(most / chosen.length);
    const room = Math.min(each, 4 * Math.ceil(Math.sqrt(each)));
    const pools = new Map(
      chosen.map((key) => [key, { good: new Reservoir(room), bad: new Reservoir(room) }]),
    );
    for await (const candidate of this.#candidates()) {
      const name = poolOf(candidate);
      const pool = name === undefined ? undefined : pools.get(hash48(name));
      const side = candidate.isGood ? pool?.good : pool?.bad;
      for (const id of side === undefined ? [] : candidate.ids) {
        side?.offer({ id, candidate, priority: hash48(`${seed}\n${id}`) });
      }
    }
    for (const { good, bad } of pools.values()) yield* pairsOf(good.items, bad.items, each, seed);
  }

  async *#candidates(): AsyncGenerator<Candidate> {
    for await (const line of lines(this.#spool.read())) yield JSON.parse(line) as Candidate;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#spool[Symbol.asyncDispose]());
  }
}

interface Item {
  id: string;
  candidate: Candidate;
  priority: number;
}

/** Keeps the items of the lowest priorities, in their order. */
class Reservoir {
  readonly items: Item[] = [];
  readonly #room: number;

  constructor(room: number) {
    this.#room = room;
  }

  offer(item: Item): void {
    const at = this.items.findIndex(({ priority }) => priority > item.priority);
    if (at === -1 && this.items.length === this.#room) return;
    this.items.splice(at === -1 ? this.items.length : at, 0, item);
    if (this.items.length > this.#room) this.items.pop();
  }
}

function pairsOf(
  good: readonly Item[],
  bad: readonly Item[],
  most: number,
  seed: number,
): Omit<Pair, "scope">[] {
  const all = good.flatMap((pos) =>
    bad.map((neg) => ({ pos, neg, priority: hash48(`${seed}\n${pos.id}\n${neg.id}`) })),
  );
  return all
    .toSorted((a, b) => a.priority - b.priority)
    .slice(0, most)
    .map(({ pos, neg }) => ({
      split: pos.candidate.split,
      pos_id: pos.id,
      neg_id: neg.id,
      pos_score: pos.candidate.score,
      neg_score: neg.candidate.score,
      task_id: pos.candidate.task === neg.candidate.task ? pos.candidate.task : null,
      project_id: pos.candidate.website,
      group: pos.candidate.group,
    }));
}
