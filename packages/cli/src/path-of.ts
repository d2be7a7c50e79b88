import { join, relative } from "node:path";

/** Where an object of the home directory `home` lies, as seen from here. */
export function pathOf(home: string, key: string): string {
  const path = join(home, "objects", key);
  const fromHere = relative(process.cwd(), path);
  return fromHere.startsWith("..") ? path : fromHere;
}
