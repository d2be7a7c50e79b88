import type { TarHeader } from "modern-tar";

/**
 * An entry's name for a tar header. A plain name field is decoded as text of its own, which loses a byte order
 * mark at its start; names with one are written as a PAX record as well.
 */
export function tarName(name: string): Pick<TarHeader, "name" | "pax"> {
  return name.includes("\uFEFF") ? { name, pax: { path: name } } : { name };
}
