import { isSecretField } from "../credential-rules.ts";
import type { ScanningRedactor } from "../scanning-redactor.ts";
import { type Sighting, sightingsIn } from "./sighting.ts";

type Finder = Pick<ScanningRedactor, "find" | "json">;

/** Secrets in a JSON value, with the path of each. */
export function checkValue(value: unknown, finder: Finder): Sighting[] {
  const sightings: Sighting[] = [];
  const open: Place[] = [{ value, path: "", name: "" }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value === "string") sightings.push(...checkText(next.value, next, finder));
    else open.push(...placesIn(next, finder, sightings).toReversed());
  }
  if (sightings.length > 0 || Object.is(finder.json(value), value)) return sightings;
  return [{ place: "", kind: "in-pieces", excerpt: "a secret that lies over several events or fields" }];
}

interface Place {
  value: unknown;
  path: string;
  /** Of the field whose value it is. */
  name: string;
}

function placesIn({ value, path }: Place, finder: Finder, sightings: Sighting[]): Place[] {
  if (Array.isArray(value)) {
    return value.map((each, index) => ({ value: each, path: `${path}[${index}]`, name: "" }));
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).map(([name, each]) => {
    const place = fieldPlace(path, name, finder);
    sightings.push(...sightingsIn(name, finder.find(name), `${place} (its name)`));
    return { value: each, path: place, name };
  });
}

function checkText(text: string, { path, name }: Place, { find }: Finder): Sighting[] {
  const findings = find(text);
  if (findings.length > 0) return sightingsIn(text, findings, path);
  if (!isSecretField(name, text)) return [];
  return sightingsIn(text, [{ start: 0, end: text.length, kind: "assigned-secret" }], path);
}

/** Names of fields may be secrets too. */
function fieldPlace(path: string, key: string, { find }: Finder): string {
  const name = find(key).length > 0 ? "[REDACTED]" : key;
  return path === "" ? name : `${path}.${name}`;
}
