import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRewards } from "./rewards.ts";

const json = (text: string) => ({ json: Buffer.from(text) });
const text = (content: string) => ({ text: Buffer.from(content) });

describe("parseRewards", () => {
  test("reads named rewards", () => {
    expect(parseRewards(json('{"reward": 0.5, "speed": -2, "__proto__": 1}'))).toEqual(
      JSON.parse('{"reward": 0.5, "speed": -2, "__proto__": 1}'),
    );
  });

  test("counts true and false as 1 and 0, as Harbor does", () => {
    expect(parseRewards(json('{"a": true, "b": false}'))).toEqual({ a: 1, b: 0 });
  });

  test.each([
    ["1", 1],
    [" 0.25\n", 0.25],
    ["-1e-3", -0.001],
    [".5", 0.5],
    ["5.", 5],
    ["+1_000", 1000],
  ])("reads %j of reward.txt", (content, reward) => {
    expect(parseRewards(text(content))).toEqual({ reward });
  });

  test("lets reward.json win, even when it is wrong", () => {
    expect(parseRewards({ ...json('{"reward": 1}'), ...text("0") })).toEqual({ reward: 1 });
    expect(() => parseRewards({ ...json("oops"), ...text("0") })).toThrow(/reward.json is not JSON/);
  });

  test.each([
    "",
    " ",
    "{}",
    "[]",
    "1",
    "null",
    '{"a": "1"}',
    '{"a": null}',
    '{"a": {"b": 1}}',
    '{"a": [1]}',
    '{"a": 1e309}',
    '{"a": -1e101}',
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1',
  ])("refuses reward.json with %j", (content) => {
    expect(() => parseRewards(json(content))).toThrow(expect.objectContaining({ code: "invalid-reward" }));
  });

  test.each([
    "",
    "\n",
    "nan",
    "inf",
    "-Infinity",
    "1e309",
    "1e101",
    "1 0",
    "0x10",
    "one",
    "1__0",
    "1,5",
    "true",
  ])("refuses reward.txt with %j", (content) => {
    expect(() => parseRewards(text(content))).toThrow(expect.objectContaining({ code: "invalid-reward" }));
  });

  test("refuses what is not UTF-8", () => {
    expect(() => parseRewards({ text: new Uint8Array([0xff]) })).toThrow(/not UTF-8/);
  });

  test("says that the verifier left no verdict", () => {
    expect(() => parseRewards({})).toThrow(expect.objectContaining({ code: "reward-missing" }));
  });

  test("gives back any number up to 1e100", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e100, max: 1e100 }), (reward) => {
        expect(parseRewards(json(`{"reward": ${reward}}`)).reward).toBeCloseTo(reward);
        expect(parseRewards(text(String(reward)))).toEqual({ reward: Number(String(reward)) });
      }),
    );
  });
});
