/** JSONPath and intrinsic functions of the Amazon States Language, as far as the pipeline uses them. */
import type { Template } from "../../infra/asl/language.ts";

/** What a path may read: the state's input, and variables by name. */
export interface Scope {
  input: unknown;
  variables: Readonly<Record<string, unknown>>;
}

/** @throws Error for syntax that is not of this part of the language. */
export function valueAt(path: string, scope: Scope): unknown {
  const found = /^\$([A-Za-z_]\w*)?((?:\.[A-Za-z_]\w*)*)$/.exec(path);
  if (found === null) throw new Error(`${path}: a path that the walker does not know`);
  const [, variable, fields = ""] = found;
  let value = variable === undefined ? scope.input : scope.variables[variable];
  for (const name of fields.split(".").slice(1)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name))
      throw new Error(`${path}: nothing is there`);
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** A template with its paths filled in. */
export function filled(template: Template, scope: Scope): unknown {
  if (Array.isArray(template)) return template.map((inner: Template) => filled(inner, scope));
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(
    Object.entries(template as Record<string, Template>).map(([key, inner]) =>
      key.endsWith(".$") && typeof inner === "string"
        ? [key.slice(0, -2), evaluated(inner, scope)]
        : [key, filled(inner, scope)],
    ),
  );
}

/** `input` with `value` put at `path` (`$`, or `$.a.b`); `null` leaves it as it is. */
export function withResult(input: unknown, path: string | null | undefined, value: unknown): unknown {
  if (path === null) return input;
  if (path === undefined || path === "$") return value;
  if (!/^\$(\.[A-Za-z_]\w*)+$/.test(path))
    throw new Error(`${path}: a ResultPath that the walker does not know`);
  return put(input, path.split(".").slice(1), value);
}

function put(target: unknown, [name, ...rest]: string[], value: unknown): unknown {
  if (name === undefined) return value;
  const base = typeof target === "object" && target !== null ? (target as Record<string, unknown>) : {};
  return { ...base, [name]: put(base[name], rest, value) };
}

/** Intrinsic functions by name, over their evaluated arguments. */
const intrinsics: Record<string, (...values: unknown[]) => unknown> = {
  "States.Format": (pattern, ...values) => {
    let next = 0;
    return String(pattern).replaceAll("{}", () => String(values[next++]));
  },
  "States.StringSplit": (text, by) => String(text).split(String(by)).filter(Boolean),
  "States.ArrayGetItem": (list, index) => (list as unknown[])[Number(index)],
  "States.JsonToString": (value) => JSON.stringify(value),
};

function evaluated(expression: string, scope: Scope): unknown {
  const { value, rest } = parsed(expression.trim(), scope);
  if (rest.trim() !== "") throw new Error(`${expression}: what is \`${rest}\`?`);
  return value;
}

function parsed(text: string, scope: Scope): { value: unknown; rest: string } {
  const [head = ""] = /^(States\.\w+\(|\$[\w.]*|'[^']*'|-?\d+)/.exec(text) ?? [];
  const rest = text.slice(head.length);
  if (head.startsWith("$")) return { value: valueAt(head, scope), rest };
  if (head.startsWith("'")) return { value: head.slice(1, -1), rest };
  if (!head.startsWith("States.")) {
    if (head === "") throw new Error(`${text}: an expression that the walker does not know`);
    return { value: Number(head), rest };
  }
  const call = intrinsics[head.slice(0, -1)];
  if (call === undefined) throw new Error(`${head.slice(0, -1)}: an intrinsic that the walker does not know`);
  const { values, rest: after } = argumentsOf(rest, scope);
  return { value: call(...values), rest: after };
}

function argumentsOf(text: string, scope: Scope): { values: unknown[]; rest: string } {
  const values: unknown[] = [];
  for (let rest = text.trimStart(); ; ) {
    if (rest.startsWith(")")) return { values, rest: rest.slice(1) };
    const next = parsed(rest, scope);
    values.push(next.value);
    rest = next.rest.trimStart();
    if (rest.startsWith(",")) rest = rest.slice(1).trimStart();
    else if (!rest.startsWith(")")) throw new Error(`${text}: a comma or a bracket is missing`);
  }
}
