import { isFields } from "./source-content.ts";

export interface ToolArguments {
  arguments: Record<string, unknown>;
  /** `arguments_not_object`: the text stands under `_raw`; `raw_arguments`: the exact text, where numbers lost digits. */
  extra: Record<string, unknown>;
}

/**
 * A tool call's arguments as an object. Nothing is lost: what is no JSON object (broken JSON, a list, a bare
 * value) is kept whole under `_raw`, and a text whose whole numbers are larger than a double can hold is kept
 * beside the object. No arguments at all are an empty object.
 */
export function toolArguments(raw: unknown): ToolArguments {
  if (isFields(raw)) return { arguments: { ...raw }, extra: {} };
  if (raw === null || raw === undefined || raw === "") return { arguments: {}, extra: {} };
  if (typeof raw !== "string") return notAnObject(raw);
  try {
    const value: unknown = JSON.parse(raw);
    if (!isFields(value)) return notAnObject(raw);
    return { arguments: { ...value }, extra: hasUnsafeNumber(value) ? { raw_arguments: raw } : {} };
  } catch {
    return notAnObject(raw);
  }
}

function notAnObject(raw: unknown): ToolArguments {
  return { arguments: { _raw: raw }, extra: { arguments_not_object: true } };
}

function hasUnsafeNumber(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnsafeNumber);
}
