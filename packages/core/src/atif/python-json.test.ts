import { describe, expect, test } from "vitest";
import { pythonFloat, pythonJson } from "./python-json.ts";

describe("pythonJson", () => {
  /** Printed by Python 3.12: json.dumps(value, ensure_ascii=False). */
  test.each([
    [
      { a: 1, b: [1, 2.5, null, true], c: {}, d: [] },
      '{"a": 1, "b": [1, 2.5, null, true], "c": {}, "d": []}',
    ],
    ['Grüße 🎉 \u2028 \u0001 \t "', '"Grüße 🎉 \u2028 \\u0001 \\t \\""'],
    [{ small: 0.00001, tiny: 1.5e-7, big: 1e21 }, '{"small": 1e-05, "tiny": 1.5e-07, "big": 1e+21}'],
    [1e16, "10000000000000000"],
  ])("writes %j as Python does", (value, text) => {
    expect(pythonJson(value)).toBe(text);
  });

  test("indents as Python does", () => {
    expect(pythonJson({ a: [1, { b: "x" }], c: [], d: {} }, 2)).toBe(
      '{\n  "a": [\n    1,\n    {\n      "b": "x"\n    }\n  ],\n  "c": [],\n  "d": {}\n}',
    );
  });
});

describe("pythonFloat", () => {
  /** Printed by Python 3.12: str(float(value)). */
  test.each([
    [1, "1.0"],
    [0, "0.0"],
    [-0, "-0.0"],
    [0.25, "0.25"],
    [-12.5, "-12.5"],
    [0.0001, "0.0001"],
    [0.00012345, "0.00012345"],
    [0.00001, "1e-05"],
    [-1.25e-10, "-1.25e-10"],
    [123456789.125, "123456789.125"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [1.5e300, "1.5e+300"],
    [0.1 + 0.2, "0.30000000000000004"],
  ])("writes %d as %s", (value, text) => {
    expect(pythonFloat(value)).toBe(text);
  });
});
