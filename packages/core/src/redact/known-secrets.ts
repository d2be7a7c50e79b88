import type { RankedPattern } from "./scanner.ts";

/** Shorter values are not looked for: `1` or `true` would go from everywhere. */
export const leastKnownLength = 6;
/** Of shorter values the base64 form is so short that it stands in other data by chance. */
const leastEncodedLength = 8;

/**
 * Values that are known to be secret, with the forms in which programs write them: as they are, JSON-escaped (once and
 * twice), URL-encoded, in base64 (alone, and inside longer data at any of the three offsets), and as UTF-8 read as
 * Latin-1, in which archives are read here.
 */
export class KnownSecrets {
  readonly #kindOf = new Map<string, string>();

  /** @returns false when the value is too short to be looked for, or known. */
  add(value: string, kind: string): boolean {
    const secret = value.trim();
    if (secret.length < leastKnownLength || this.#kindOf.has(secret)) return false;
    for (const form of formsOf(secret)) this.#kindOf.set(form, this.#kindOf.get(form) ?? kind);
    return true;
  }

  /** One pattern a kind, longer forms first. */
  patterns(): RankedPattern[] {
    const forms = Map.groupBy(this.#kindOf, ([, kind]) => kind);
    return Array.from(forms, ([kind, entries]) => {
      const longest = entries.map(([form]) => form).toSorted((a, b) => b.length - a.length);
      return {
        kind,
        pattern: new RegExp(longest.map((form) => RegExp.escape(form)).join("|"), "g"),
        rank: 0,
      };
    });
  }
}

function formsOf(secret: string): Set<string> {
  const escaped = inJson(secret);
  const forms = new Set([
    secret,
    escaped,
    inJson(escaped),
    escaped.replaceAll("/", "\\/"),
    encodeURIComponent(secret.toWellFormed()),
    new URLSearchParams({ s: secret }).toString().slice(2),
  ]);
  if (secret.length >= leastEncodedLength) for (const form of base64Forms(secret)) forms.add(form);
  for (const form of [...forms]) forms.add(Buffer.from(form).toString("latin1"));
  return forms;
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Base64 of data that has the secret in it has one of three texts in it, by where the secret begins. */
function base64Forms(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.from("\0".repeat(offset) + secret).toString("base64");
    const first = [0, 2, 3][offset] ?? 0;
    const whole = Math.floor(((offset + Buffer.byteLength(secret)) * 8) / 6);
    const form = padded.slice(first, whole);
    return [form, form.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
