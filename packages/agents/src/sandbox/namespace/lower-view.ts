import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { HostBase } from "./host-base.ts";
import { rootName } from "./mounts.ts";

/** Folders of a layer that hide what is below them: overlay keeps that in attributes that Node cannot read. */
export type OpaqueFolders = Readonly<Record<string, readonly string[]>>;

/** In each layer: the list of its opaque folders by mount. */
export const opaqueFile = "opaque.json";

/** One mount, without the changes of a sandbox: its layers, topmost first. */
interface Stack {
  /** Without leading slash; empty for the root. */
  path: string;
  name: string;
  lower: readonly { dir: string; opaque: ReadonlySet<string> }[];
}

type Now<T> = T | Promise<T>;

/** An environment as it was before a sandbox changed anything. Paths are without leading slash. */
export interface LowerTree {
  /** Where changes to this path are kept: the name of a folder among the upper ones, and the path inside it. */
  locate(path: string): { name: string; inside: string };
  /** Mounts below a folder: the next component of each one's path. */
  mountsIn(path: string): string[];
  isMount(path: string): boolean;
  /** What is at a path; links are not followed. */
  stat(path: string): Now<{ mode: number; isDirectory(): boolean } | undefined>;
  /** The first name in a folder that is not among those to skip. */
  childBeside(path: string, skip: (name: string) => boolean): Now<string | undefined>;
}

/** What the overlays' lower layers show. Nobody writes to these, so plain paths are safe here. */
export class LowerView implements LowerTree {
  /** Longest path first. */
  readonly #stacks: readonly Stack[];

  constructor(base: HostBase, layers: readonly string[]) {
    const opaque = layers.map((layer) => readOpaque(layer));
    const stack = (path: string, name: string, lower: readonly string[]): Stack => ({
      path,
      name,
      lower: [
        ...layers.map((layer, index) => ({ dir: join(layer, name), opaque: new Set(opaque[index]?.[name]) })),
        ...lower.map((dir) => ({ dir, opaque: new Set<string>() })),
      ],
    });
    this.#stacks = [
      ...base.mounts.map(({ path, name, lower }) => stack(path.slice(1), name, lower)),
      stack("", rootName, [base.root]),
    ].toSorted((a, b) => b.path.length - a.path.length);
  }

  locate(path: string): { name: string; inside: string } {
    const { name, inside } = this.#find(path);
    return { name, inside };
  }

  mountsIn(path: string): string[] {
    const prefix = path === "" ? "" : `${path}/`;
    const inside = this.#stacks.filter((stack) => stack.path !== "" && stack.path.startsWith(prefix));
    return inside.map((stack) => stack.path.slice(prefix.length).split("/")[0] ?? "");
  }

  isMount(path: string): boolean {
    return this.#stacks.some((stack) => stack.path === path);
  }

  stat(path: string): Stats | undefined {
    return this.#lookup(path)?.stats;
  }

  childBeside(path: string, skip: (name: string) => boolean): string | undefined {
    return this.#children(path)
      .values()
      .find((name) => !skip(name));
  }

  /** The names in a folder of the environment. */
  #children(path: string): Set<string> {
    const { lower, inside } = this.#find(path);
    const names = new Set<string>();
    const seen = new Set<string>();
    for (const { dir, opaque } of lower) {
      const { stats, last } = descend(dir, inside, opaque);
      if (stats?.isDirectory() === true) addNames(join(dir, inside), names, seen);
      if (last || stats?.isDirectory() === false) break;
    }
    return names;
  }

  /** Whether something is at this absolute path; links on the way are followed, as the kernel would. */
  has(absolute: string): boolean {
    const todo = absolute.split("/").filter((part) => part !== "" && part !== ".");
    let at: string[] = [];
    for (let links = 0; links <= 40; ) {
      const part = todo.shift();
      if (part === undefined) return true;
      if (part === "..") {
        at.pop();
        continue;
      }
      const found = this.#lookup([...at, part].join("/"));
      if (found === undefined) return false;
      if (todo.length > 0 && found.stats.isSymbolicLink()) {
        links += 1;
        const target = readlinkSync(found.file);
        if (target.startsWith("/")) at = [];
        todo.unshift(...target.split("/").filter((name) => name !== "" && name !== "."));
      } else at.push(part);
    }
    return false;
  }

  #lookup(path: string): { stats: Stats; file: string } | undefined {
    const { lower, inside } = this.#find(path);
    for (const { dir, opaque } of lower) {
      const { stats, last } = descend(dir, inside, opaque);
      if (stats !== undefined) return isWhiteout(stats) ? undefined : { stats, file: join(dir, inside) };
      if (last) return undefined;
    }
    return undefined;
  }

  #find(path: string): Stack & { inside: string } {
    for (const stack of this.#stacks) {
      if (stack.path === "" || path === stack.path)
        return { ...stack, inside: stack.path === "" ? path : "" };
      if (path.startsWith(`${stack.path}/`)) return { ...stack, inside: path.slice(stack.path.length + 1) };
    }
    throw new Error("the root is always there");
  }
}

/** Adds the names of one layer that no layer above it has or deletes. */
function addNames(folder: string, names: Set<string>, seen: Set<string>): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (seen.has(entry.name)) continue;
    seen.add(entry.name);
    if (entry.isCharacterDevice() && isWhiteout(lstatSync(join(folder, entry.name)))) continue;
    names.add(entry.name);
  }
}

/** Looks a path up in one layer. `last`: the layers below are hidden there. */
function descend(dir: string, inside: string, opaque: ReadonlySet<string>): { stats?: Stats; last: boolean } {
  const parts = inside === "" ? [] : inside.split("/");
  let last = opaque.has("");
  for (let depth = 1; depth < parts.length; depth += 1) {
    const at = parts.slice(0, depth).join("/");
    const stats = lstatSync(join(dir, at), { throwIfNoEntry: false });
    if (stats === undefined) return { last };
    if (!stats.isDirectory()) return { last: true };
    last ||= opaque.has(at);
  }
  const stats = lstatSync(join(dir, inside), { throwIfNoEntry: false });
  if (stats === undefined) return { last };
  return { stats, last: last || opaque.has(inside) };
}

/** How overlay marks a deletion: a character device 0/0. */
export function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

function readOpaque(layer: string): OpaqueFolders {
  return JSON.parse(readFileSync(join(layer, opaqueFile), "utf8")) as OpaqueFolders;
}
