/** Tells values that were drawn at random from placeholders, names and words. */

/** Bits a character (Shannon's entropy of the value's own characters). */
export function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}

/**
 * What documents put where a key would stand: `xxxxx`, `EXAMPLE`, `1234567890`. A key drawn at random has one of these in
 * one case of some millions.
 */
const placeholder =
  /(.)\1{7}|x{5}|X{5}|\*{3}|\.{3}|EXAMPLE|example|placeholder|your[_-]|1234567890|abcdefghij/;

/** Of a token's body: a text full of prefixes has a long one at each of them. */
const judged = 256;

/** A body of a token that has its issuer's prefix: anything but a placeholder. */
export function looksRandom(body: string): boolean {
  const beginning = body.slice(0, judged);
  return entropy(beginning) >= 2.5 && !placeholder.test(beginning);
}

/** Words that say of a value that it is no real one. Where only a name speaks for a secret, they decide. */
const pretended =
  /passw|secret|token|credential|dummy|sample|change|insert|replace|default|admin|qwerty|letmein|foobar|hunter2|123456|abcdef|undefined|hello|world|(?:^|[^A-Za-z])(?:test|fake|mock|null|true|todo)(?![a-z])/i;

/** Whether letters read as words: `getUserToken`, `HTTP`. Letters drawn at random fall into short and vowelless pieces. */
function readsAsWords(letters: string): boolean {
  const pieces = letters.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+/g) ?? [];
  const words = pieces.filter(
    (piece) => piece.length >= 3 && /[aeiouy]/i.test(piece) && !/[^aeiouy]{5}/i.test(piece),
  );
  return words.length >= 0.7 * pieces.length;
}

/** Whether the value is put together of words: an identifier, a path, a version, a date. */
function isWords(value: string): boolean {
  return value
    .split(/[\s_.:/@+=-]+/)
    .every((part) => part.length <= 3 || /^\d{1,8}$/.test(part) || isNumberedWord(part));
}

/** `utf8`, `Uint8Array`, `password123`: words with numbers in or behind them. */
function isNumberedWord(part: string): boolean {
  if (!/^[A-Za-z\d]+$/.test(part) || /\d{5}/.test(part)) return false;
  return part.split(/\d+/).every((letters) => letters === "" || readsAsWords(letters));
}

/** How often the kind of character changes: capitals, small letters, digits, others. */
function changes(value: string): number {
  const kinds = value.replaceAll(/[A-Z]/g, "A").replaceAll(/[a-z]/g, "a").replaceAll(/\d/g, "0");
  return kinds.replaceAll(/[^Aa0]/g, ".").replaceAll(/(.)\1+/g, "$1").length - 1;
}

/** Letters alone that change their case too often for a name. */
function isMixedLetters(value: string): boolean {
  return value.length >= 16 && /^[A-Za-z]+$/.test(value) && changes(value) >= 6;
}

/** A value that only its name calls a secret: a mix of characters that nobody would write as a name or an example. */
export function looksChosenAtRandom(value: string): boolean {
  if (value.length < 8 || !/[A-Za-z]/.test(value)) return false;
  if (!/\d/.test(value) && !isMixedLetters(value)) return false;
  if (placeholder.test(value) || pretended.test(value) || isWords(value)) return false;
  return entropy(value) >= 2.75 && changes(value) >= (value.length < 16 ? 3 : 2);
}
