import fc from "fast-check";
import { expect, test } from "vitest";
import { plantedSecrets } from "../../../../test/fakes/planted-secrets.ts";
import { createRedactor } from "./create.ts";

/** What the scanner reads of a text at a time. */
const windowSize = 64 * 1024;

/** Ordinary text of so many characters, some beyond Latin 1. */
function filler(length: number): string {
  return "the quick brown fox 狐 jumps; ".repeat(Math.ceil(length / 29)).slice(0, length);
}

const secrets = plantedSecrets(7).map(({ value }) => value);
const found = (text: string): string => createRedactor().text(text);

/** Those that stand for themselves, with blanks around: whatever stands elsewhere, they are found. */
const alone = secrets.filter((value) => !value.includes("\n") && found(` ${value} `) !== ` ${value} `);

test("there are secrets to plant", () => {
  expect(alone.length).toBeGreaterThan(15);
});

test("a secret is found wherever it stands among the windows that a text is read by", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...alone),
      fc.integer({ min: -90, max: 10 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 0, max: 3 }),
      (value, offset, windows, tail) => {
        const before = `${filler(windows * windowSize + offset)} `;
        expect(found(`${before}${value} ${filler(tail * 20_000)}`)).toBe(
          `${before}${found(`${value} `)}${filler(tail * 20_000)}`,
        );
      },
    ),
    { numRuns: 400 },
  );
});
