/**
 * The final answer of a text, by the first rule that finds one:
 * 1. the content of the last `\boxed{…}` (or `\fbox{…}`) whose braces are balanced;
 * 2. what follows the last `Answer:` or `Final answer:` (also `the answer is`) on its line, less Markdown marks;
 * 3. the last line that is not empty.
 * `undefined` for a text without any word.
 */
export function finalAnswer(text: string): string | undefined {
  const answer = lastBoxed(text) ?? lastStated(text) ?? lastLine(text);
  return answer === undefined || answer === "" ? undefined : answer;
}

function lastBoxed(text: string): string | undefined {
  const starts = [...text.matchAll(/\\(?:boxed|fbox)\s*\{/g)].map((match) => match.index + match[0].length);
  return starts
    .map((start) => balanced(text, start))
    .findLast((content) => content !== undefined)
    ?.trim();
}

/** The text from `start` to the brace that closes it. */
function balanced(text: string, start: number): string | undefined {
  let depth = 1;
  for (let index = start; index < text.length; index += 1) {
    const isEscaped = text[index - 1] === "\\" && text[index - 2] !== "\\";
    if (text[index] === "{" && !isEscaped) depth += 1;
    if (text[index] === "}" && !isEscaped) depth -= 1;
    if (depth === 0) return text.slice(start, index);
  }
  return undefined;
}

function lastStated(text: string): string | undefined {
  const pattern = /(?:\banswer\s*(?:is\b\s*:?|:))[ \t*_`]*([^\n]*)/gi;
  const found = [...text.matchAll(pattern)].map((match) => withoutMarks(match[1] ?? ""));
  return found.findLast((answer) => answer !== "");
}

function lastLine(text: string): string | undefined {
  const lines = text.split("\n").map(withoutMarks);
  return lines.findLast((line) => line !== "");
}

/** Without the Markdown around a line: emphasis, code, headings, quotes. */
function withoutMarks(line: string): string {
  return line
    .trim()
    .replace(/^(?:#+\s+|>\s+)/, "")
    .replace(/^(\*\*|__|`)(.*)\1([.!]?)$/, "$2$3")
    .replace(/[*_`]+$/, "")
    .trim();
}

/**
 * Whether two answers are the same once they are written alike. LaTeX wrappers (`$`, `\(`, `\[`, `\text`,
 * `\boxed`), `\dfrac`, `\left`, spacing, a trailing full stop and thousands separators do not count, nor does
 * the case of whole words. Plain numbers and simple fractions are compared by their exact value: `0.5`, `1/2`
 * and `\frac{1}{2}` are the same, 0.33 and 1/3 are not.
 */
export function sameAnswer(expected: string, given: string): boolean {
  const [wanted, got] = [normal(expected), normal(given)];
  if (wanted === got) return true;
  if (isWords(wanted) && wanted.toLowerCase() === got.toLowerCase()) return true;
  const [a, b] = [rational(wanted), rational(got)];
  return a !== undefined && b !== undefined && a.top * b.bottom === b.top * a.bottom;
}

const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/\\\$|\\[()[\]]|\$/g, ""],
  [/\\[dtc]frac/g, "\\frac"],
  [/\\frac\s*(\d)\s*(\d)/g, "\\frac{$1}{$2}"],
  [/\\(?:left|right|displaystyle|limits|quad|qquad)(?![a-zA-Z])/g, ""],
  [/\\!/g, ""],
  [/\\[,;: ]|~/g, " "],
  [/\\(?:text|textbf|mathrm|mathbf|boxed|fbox)\s*\{([^{}]*)\}/g, "$1"],
  [/\\%/g, "%"],
  [/[−–]/g, "-"],
  [/\{,\}/g, ","],
];

/** One number with separators in it; between brackets, commas separate things. */
const THOUSANDS = /^[^\d()[\]{}]*\d{1,3}(?:,\d{3})+(?:\.\d+)?[^\d,()[\]{}]*$/;

function normal(answer: string): string {
  const text = REWRITES.reduce(
    (rest, [pattern, replacement]) => rest.replace(pattern, replacement),
    answer,
  ).trim();
  const joined = THOUSANDS.test(text) ? text.replace(/(?<=\d),(?=\d)/g, "") : text;
  return joined.replace(/\s+/g, "").replace(/\.$/, "");
}

/** A single letter may be a variable, whose case matters. */
function isWords(text: string): boolean {
  return /^[\p{L}'-]{2,}$/u.test(text);
}

interface Rational {
  top: bigint;
  bottom: bigint;
}

const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?`;
const PLAIN = new RegExp(`^${NUMBER}$`, "i");
const SLASHED = new RegExp(`^(?<top>${NUMBER})/(?<bottom>${NUMBER})$`, "i");
const FRACTION = new RegExp(
  String.raw`^(?<sign>[+-]?)\\frac\{(?<top>${NUMBER})\}\{(?<bottom>${NUMBER})\}$`,
  "i",
);

/** The exact value of a plain number or simple fraction. */
function rational(text: string): Rational | undefined {
  if (PLAIN.test(text)) return decimal(text);
  const { sign, top, bottom } = (FRACTION.exec(text) ?? SLASHED.exec(text))?.groups ?? {};
  if (top === undefined || bottom === undefined) return undefined;
  const [above, below] = [decimal(top), decimal(bottom)];
  if (below.top === 0n) return undefined;
  const value = { top: above.top * below.bottom, bottom: above.bottom * below.top };
  return sign === "-" ? { ...value, top: -value.top } : value;
}

function decimal(text: string): Rational {
  const [mantissa = "0", power = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace(/^[+-]/, "").split(".");
  const digits = BigInt(`${whole}${fraction}`) * (mantissa.startsWith("-") ? -1n : 1n);
  const exponent = Number(power) - fraction.length;
  const scale = 10n ** BigInt(Math.abs(exponent));
  return exponent >= 0 ? { top: digits * scale, bottom: 1n } : { top: digits, bottom: scale };
}
