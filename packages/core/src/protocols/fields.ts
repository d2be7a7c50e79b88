import { isFields } from "../atif/source-content.ts";

/** An object of unknown fields, as a provider sent it. */
export type Fields = Record<string, unknown>;

/** The value where it is an object, else one without fields. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? (value as Fields) : {};
}

/** The objects of a list; whatever else stands in it is left out. */
export function fieldsList(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields).map((entry) => entry as Fields) : [];
}

export function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A count of tokens; `undefined` for what is none. */
export function countIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined;
}
