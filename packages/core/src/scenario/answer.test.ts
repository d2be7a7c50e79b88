import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { finalAnswer, sameAnswer } from "./answer.ts";
import cases from "./answer-cases.json" with { type: "json" };

describe("finalAnswer", () => {
  test.each(cases.finalAnswer)("$source", ({ text, expected }) => {
    expect(finalAnswer(text)).toBe(expected ?? undefined);
  });

  test("finds whatever is in the last box, if its braces are balanced", () => {
    const content = fc.string().filter((text) => !/[{}\\]/.test(text) && text.trim() !== "");
    fc.assert(
      fc.property(fc.string(), content, (before, answer) => {
        expect(finalAnswer(`${before} \\boxed{{${answer}}}`)).toBe(`{${answer}}`.trim());
      }),
    );
  });
});

describe("sameAnswer", () => {
  test.each(cases.sameAnswer)("$source: $expected, $given", ({ expected, given, same }) => {
    expect(sameAnswer(expected, given)).toBe(same);
    expect(sameAnswer(given, expected)).toBe(same);
  });

  test("holds of every answer and itself in LaTeX", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1 }), (top, bottom) => {
        expect(sameAnswer(`${top}/${bottom}`, `\\( \\dfrac{${top}}{${bottom}} \\)`)).toBe(true);
        expect(sameAnswer(`${top}/${bottom}`, `${top}/${bottom + 1}`)).toBe(top === 0);
      }),
    );
  });

  test("comes to an end for any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(sameAnswer(text, text)).toBe(true);
      }),
    );
  });
});
