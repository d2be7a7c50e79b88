import { sha256Hex } from "../ids.ts";

/**
 * A name for a production task that can be a folder and a line of a table: its id where that is plain, else
 * the plain part of it and 8 hex digits of its SHA-256, so that two ids never share one.
 */
export function taskName(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/.test(id)) return id;
  const plain = id.replaceAll(/[^A-Za-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  return `${plain.slice(0, 80) || "task"}-${sha256Hex(id).slice(0, 8)}`;
}
