import { isFields } from "../source-content.ts";

/** A file of a program's own log, JSON lines. */
export interface NativeLog {
  /** As it was found: its folders tell whose it is. */
  path: string;
  text: string;
}

export type Line = Readonly<Record<string, unknown>>;

/** What of a log has no place in a trajectory; kept under the trajectory's `extra`. */
export class Leftovers {
  readonly #unconverted: unknown[] = [];
  readonly #leftOut = new Map<string, number>();
  readonly #notes: Record<string, unknown[]> = {};

  /** A line that nobody knows: kept as it is. */
  unknown(line: unknown): void {
    this.#unconverted.push(line);
  }

  /** A line that repeats what others say, or says nothing of the work: counted by its kind. */
  skip(kind: string): void {
    this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1);
  }

  /** Something worth a list of its own. */
  note(list: string, value: unknown): void {
    this.#notes[list] ??= [];
    this.#notes[list].push(value);
  }

  extra(): Record<string, unknown> {
    return {
      ...this.#notes,
      ...(this.#unconverted.length > 0 && { unconverted: this.#unconverted }),
      ...(this.#leftOut.size > 0 && { left_out: Object.fromEntries(this.#leftOut) }),
    };
  }
}

/** The objects of a log, in order. A line that is none, as the last one of a program that was killed, is left over. */
export function logLines({ text }: NativeLog, leftovers: Leftovers): Line[] {
  return text.split("\n").flatMap((raw) => {
    if (raw.trim() === "") return [];
    const value = parsed(raw);
    if (isFields(value)) return [value];
    leftovers.unknown(raw);
    return [];
  });
}

function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}

export function fieldsOf(value: unknown): Line {
  return isFields(value) ? value : {};
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A count of tokens; anything else is none. */
export function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}
