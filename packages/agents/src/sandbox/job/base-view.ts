import type { Listing } from "./listing.ts";

/** Most symbolic links that one path may pass, as in the kernel. */
const mostLinks = 40;

/** Whether a listing has something at this absolute path; links on the way are followed, one at its end is not. */
export function listingHas(listing: Listing, path: string): boolean {
  const walk: Walk = { todo: partsOf(Buffer.from(path).toString("latin1")), at: [], links: 0 };
  for (let part = walk.todo.shift(); part !== undefined; part = walk.todo.shift()) {
    if (part === "..") walk.at.pop();
    else if (!enter(listing, part, walk)) return false;
  }
  return true;
}

interface Walk {
  todo: string[];
  /** Where the walk has come to, with all links resolved. */
  at: string[];
  /** Passed so far. */
  links: number;
}

function enter(listing: Listing, part: string, walk: Walk): boolean {
  const entry = listing.get([...walk.at, part].join("/"));
  if (entry === undefined) return false;
  if (walk.todo.length === 0 || entry.kind === "directory") {
    walk.at.push(part);
    return true;
  }
  walk.links += 1;
  if (entry.target === undefined || walk.links > mostLinks) return false;
  if (entry.target.startsWith("/")) walk.at = [];
  walk.todo.unshift(...partsOf(entry.target));
  return true;
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
