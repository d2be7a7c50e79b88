import { messageOf, TracemillError } from "../errors.ts";
import { isReward, type Rewards } from "../run/outcome.ts";

/** What a verifier left in `/logs/verifier`; absent files are `undefined`. */
export interface RewardFiles {
  /** `reward.json`: a flat object of finite numbers. Wins when both are there. */
  json?: Uint8Array | undefined;
  /** `reward.txt`: one number, which becomes `{reward: x}`. */
  text?: Uint8Array | undefined;
}

/** Python's `float()`, less the infinities and NaN. */
const PYTHON_NUMBER = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;

/**
 * Reads a verifier's verdict by Harbor's contract: only these files count, never the exit code. `true` and
 * `false` count as 1 and 0, as they do there. An empty object is refused: a verdict that says nothing is not
 * a zero.
 * @throws TracemillError `reward-missing` when there is neither file, `invalid-reward` when the one that counts
 * is empty or holds anything but finite numbers up to 1e100 (`isReward`).
 */
export function parseRewards({ json, text }: RewardFiles): Rewards {
  if (json !== undefined) return parseJsonRewards(decode(json, "reward.json"));
  if (text !== undefined) return { reward: parseNumber(decode(text, "reward.txt").trim()) };
  throw new TracemillError(
    "reward-missing",
    "the verifier wrote neither /logs/verifier/reward.json nor /logs/verifier/reward.txt",
  );
}

function parseJsonRewards(text: string): Rewards {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`reward.json is not JSON: ${messageOf(error)}`, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid("reward.json is not an object of numbers");
  }
  const entries = Object.entries(value).map(([key, reward]) => [key, finite(key, reward)] as const);
  if (entries.length === 0) throw invalid("reward.json is an empty object; name at least one reward");
  return Object.fromEntries(entries);
}

function finite(key: string, value: unknown): number {
  const number = typeof value === "boolean" ? Number(value) : value;
  if (isReward(number)) return number;
  throw invalid(`reward.json: \`${key}\` is ${describe(number)}, not a finite number up to 1e100`);
}

function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "").slice(0, 80);
}

function parseNumber(text: string): number {
  const number = PYTHON_NUMBER.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  if (isReward(number)) return number;
  throw invalid(`reward.txt holds ${JSON.stringify(text.slice(0, 80))}, not a finite number up to 1e100`);
}

function decode(bytes: Uint8Array, name: string): string {
  if (bytes.byteLength === 0) throw invalid(`${name} is empty`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid(`${name} is not UTF-8 text`, error);
  }
}

function invalid(problem: string, cause?: unknown): TracemillError {
  return new TracemillError("invalid-reward", `/logs/verifier: ${problem}`, { cause });
}
