import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idOf, isObject, numberOf, parseExact, parsePlain } from "./json.ts";

describe("parseExact", () => {
  test("numbers come back as they were written", () => {
    const text = '{"a":1.0,"b":12345678901234567890,"c":[1e3,-0,0.1,7],"d":"1.0","e":1.50}';
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });

  test("any JSON comes back with equal content", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.stringify(parseExact(text))).toBe(text);
      }),
    );
  });

  test("numbers of any spelling stay among strings that look like them", () => {
    const digits = fc.stringMatching(/^[0-9]{1,20}$/);
    const number = fc
      .tuple(
        fc.constantFrom("", "-"),
        fc.oneof(fc.constant("0"), fc.stringMatching(/^[1-9][0-9]{0,20}$/)),
        fc.oneof(
          fc.constant(""),
          digits.map((fraction) => `.${fraction}`),
        ),
        fc.oneof(fc.constant(""), fc.stringMatching(/^[eE][+-]?[0-9]{1,3}$/)),
      )
      .map((parts) => parts.join(""));
    const text = fc.oneof(
      number,
      fc.string().map((each) => JSON.stringify(each)),
      fc.constantFrom('"\\u00001.0"', '"[1.0,"'),
    );
    const pairs = fc.array(fc.tuple(fc.constantFrom('"a"', '"1.0"', '"__proto__"'), text), { maxLength: 1 });
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            text,
            pairs.map((all) => `{${all.map((pair) => pair.join(":")).join()}}`),
          ),
        ),
        (items) => {
          const whole = `[${items.join()}]`;
          expect(JSON.stringify(parseExact(whole))).toBe(whole);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    "01",
    "[1.]",
    "[.5]",
    "[1.0.5]",
    "{1.0:2}",
    "{1.0 :2}",
    "[+1.0]",
    "[1.0e]",
    "[--1.0]",
    "[1.0 1.0]",
    '["a]',
    "[1.0x]",
  ])("what is not JSON is refused: %s", (text) => {
    expect(() => parseExact(text)).toThrow(SyntaxError);
  });

  test("a key named __proto__ stays a key", () => {
    const text = '{"__proto__":{"x":1.0}}';
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });
});

describe("kept numbers", () => {
  const kept = parseExact('{"page":2.0,"id":9007199254740993}') as Record<string, unknown>;

  test("are still numbers and ids to those who ask", () => {
    expect(numberOf(kept.page)).toBe(2);
    expect(idOf(kept.id)).toBe("9007199254740993");
    expect(isObject(kept.page)).toBe(false);
  });

  test("an id beyond 2^53 is read back digit by digit", () => {
    expect(parsePlain(JSON.stringify(kept))).toEqual({ page: 2, id: "9007199254740993" });
  });

  test.each([
    ['{"id": 9007199254740993}', { id: "9007199254740993" }],
    ['{"a":[{"task_id":-12345678901234567890}]}', { a: [{ task_id: "-12345678901234567890" }] }],
    ['{"id":1.5}', { id: "1.5" }],
    ['{"id":1e30}', { id: "1e30" }],
    ['{"id":9007199254740991,"n":9007199254740993}', { id: 9007199254740991, n: 9007199254740992 }],
    ['{"id":123}', { id: 123 }],
  ])("only an id that a number cannot hold becomes text: %s", (text, value) => {
    expect(parsePlain(text)).toEqual(value);
  });
});
