/**
 * JSON as Python's `json.dumps(value, ensure_ascii=False)` writes it: `, ` and `: ` between things, or with
 * `indent` one thing a line. Fractions are printed as Python does (`1e-05`). A whole number prints without a
 * point: JSON read into JavaScript no longer tells 1.0 from 1.
 */
export function pythonJson(value: unknown, indent = 0): string {
  return render(value, indent, "\n");
}

/** A number that prints as a float also where it is whole: `1.0`. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

function render(value: unknown, indent: number, newline: string): string {
  if (value instanceof PythonFloat) return pythonFloat(value.value);
  if (typeof value === "number") return Number.isInteger(value) ? wholeText(value) : pythonFloat(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const isList = Array.isArray(value);
  const [open, close] = isList ? "[]" : "{}";
  const inner = newline + " ".repeat(indent);
  const items = isList
    ? value.map((item: unknown) => render(item, indent, inner))
    : Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => `${JSON.stringify(key)}: ${render(item, indent, inner)}`);
  if (items.length === 0) return `${open}${close}`;
  if (indent === 0) return `${open}${items.join(", ")}${close}`;
  return `${open}${inner}${items.join(`,${inner}`)}${newline}${close}`;
}

/** Whole numbers from 1e21 on have lost digits already, and read as fractions do. */
function wholeText(value: number): string {
  return Math.abs(value) < 1e21 ? BigInt(value).toString() : pythonFloat(value);
}

/** A number as Python prints a float: `1.0`, `0.25`, `1e-05`, `1e+16`. */
export function pythonFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return value.toFixed(digits.replace(/[-.]/g, "").length - 1 - exponent);
  return Number.isInteger(value) ? `${BigInt(value)}.0` : String(value);
}
