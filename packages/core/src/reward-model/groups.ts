import type { Episode } from "./episode.ts";
import { hash48 } from "./hash48.ts";

/** `website`: also all tasks of a website are in one split. `task`: only all episodes of a task. */
export type GroupBy = "website" | "task";

/** Websites sort before groups, groups before tasks, so that a component is called after the widest of its parts. */
const kinds = ["website", "group", "task", "episode"] as const;
type Kind = (typeof kinds)[number];

/**
 * Which episodes belong into one split: those of one task, of one declared group, and of one website, and whatever
 * these join. An episode without a website takes that of its task's other episodes. Union-find over 48-bit hashes,
 * some 60 bytes for each task, website and group; two that share a hash are joined, which leaks nothing.
 */
export class EpisodeGroups {
  readonly #parents = new Map<number, number>();
  readonly #by: GroupBy;

  constructor(by: GroupBy) {
    this.#by = by;
  }

  add(episode: Episode): void {
    const [first, ...others] = this.#partsOf(episode);
    for (const other of others) this.#join(first, other);
  }

  /**
   * The group of an episode, once all are added. It hangs on nothing but what is joined: not on the order of the
   * episodes, and a new one changes it only for those that it joins to others.
   */
  groupOf(episode: Episode): string {
    return `grp_${this.#rootOf(this.#partsOf(episode)[0]).toString(16).padStart(13, "0")}`;
  }

  #partsOf({ episode_id, project_id, task_id, group }: Episode): [number, ...number[]] {
    const website = this.#by === "website" ? project_id : undefined;
    const named: [Kind, string | undefined][] = [
      ["task", task_id],
      ["group", group],
      ["website", website],
    ];
    const [first, ...others] = named.flatMap(([kind, name]) =>
      name === undefined ? [] : [part(kind, name)],
    );
    return first === undefined ? [part("episode", episode_id)] : [first, ...others];
  }

  #join(a: number, b: number): void {
    const [one, other] = [this.#rootOf(a), this.#rootOf(b)];
    if (one !== other) this.#parents.set(Math.max(one, other), Math.min(one, other));
  }

  #rootOf(start: number): number {
    let root = start;
    for (let parent = this.#parents.get(root); parent !== undefined; parent = this.#parents.get(root)) {
      root = parent;
    }
    // Later look-ups of the whole path take one step.
    for (let at = start; at !== root; ) {
      const next = this.#parents.get(at) ?? root;
      this.#parents.set(at, root);
      at = next;
    }
    return root;
  }
}

function part(kind: Kind, name: string): number {
  return kinds.indexOf(kind) * 2 ** 48 + hash48(name);
}
