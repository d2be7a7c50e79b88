/** For guesses: a token of English text or code is some 4 characters. */
export const charactersPerToken = 4;

/** Longer words are no words: images and files in base64, which models count by other rules. */
const longestWord = 2_000;

/** A guess at the tokens of a body: of its texts, and of its size alone where that is all that is kept. */
export function roughTokens(body: unknown): number {
  return Math.ceil(characters(body) / charactersPerToken);
}

/** With a list of its own in place of recursion: a body may be nested as deep as its sender likes. */
function characters(body: unknown): number {
  let sum = 0;
  const open: unknown[] = [body];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "string" && isText(value)) sum += value.length;
    if (typeof value !== "object" || value === null) continue;
    if ("_cut" in value && typeof value._cut === "number") sum += value._cut;
    for (const inner of Object.values(value)) open.push(inner);
  }
  return sum;
}

function isText(value: string): boolean {
  return value.length <= longestWord || /\s/.test(value.slice(0, longestWord));
}
