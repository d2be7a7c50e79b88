import { isDeepStrictEqual } from "node:util";
import { isFields } from "../read-recording.ts";

type Test = (found: unknown, wanted: unknown) => boolean;

/** autoppia_iwa's comparison operators. */
const operators: Record<string, Test> = {
  equals: same,
  not_equals: (found, wanted) => !same(found, wanted),
  contains: includes,
  not_contains: (found, wanted) => !includes(found, wanted),
  greater_than: (found, wanted) => compare(found, wanted, (a, b) => a > b),
  less_than: (found, wanted) => compare(found, wanted, (a, b) => a < b),
  greater_equal: (found, wanted) => compare(found, wanted, (a, b) => a >= b),
  less_equal: (found, wanted) => compare(found, wanted, (a, b) => a <= b),
  in_list: (found, wanted) => Array.isArray(wanted) && wanted.some((one) => same(found, one)),
  not_in_list: (found, wanted) => Array.isArray(wanted) && !wanted.some((one) => same(found, one)),
};

/**
 * Whether a payload meets criteria: each field's value, or `{operator, value}`; a dot leads into a field. Words are
 * compared without case, numbers also when they are written as text.
 * @returns `undefined` when an operator is none that is known.
 */
export function meets(payload: unknown, criteria: Readonly<Record<string, unknown>>): boolean | undefined {
  let all = true;
  for (const [path, criterion] of Object.entries(criteria)) {
    const isOperation = isFields(criterion) && "operator" in criterion;
    const name = isOperation ? String(criterion.operator).toLowerCase() : "equals";
    const test = Object.hasOwn(operators, name) ? operators[name] : undefined;
    if (test === undefined) return undefined;
    all &&= test(valueAt(payload, path), isOperation ? criterion.value : criterion);
  }
  return all;
}

function valueAt(payload: unknown, path: string): unknown {
  if (isFields(payload) && Object.hasOwn(payload, path)) return payload[path];
  return path.split(".").reduce<unknown>((value, key) => {
    return isFields(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, payload);
}

function same(found: unknown, wanted: unknown): boolean {
  return isDeepStrictEqual(comparable(found), comparable(wanted));
}

function comparable(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const text = value.trim().toLowerCase();
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function includes(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(found)) return found.some((one) => same(one, wanted));
  if (typeof found !== "string" || wanted === null || wanted === undefined) return false;
  return found.toLowerCase().includes(String(wanted).toLowerCase());
}

function compare(found: unknown, wanted: unknown, test: (a: number, b: number) => boolean): boolean {
  const [a, b] = [comparable(found), comparable(wanted)];
  return typeof a === "number" && typeof b === "number" && test(a, b);
}
