import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeBody, quoted, withoutToken } from "./refusal.ts";

const key = "sk-proj-Zq7kd83Lm2Pv9XwA1";

describe("a server's words in a message", () => {
  test("hold a key as a whole or not at all, wherever they are cut", () => {
    for (let before = 150; before <= 201; before += 1) {
      const said = describeBody({ error: { message: `${"a ".repeat(before / 2)}(${key}) is no key` } });
      expect(withoutToken(said, key)).not.toContain(key.slice(0, 4));
    }
  });

  test("are cut between words, on one line", () => {
    expect(quoted("one  two\nthree", 9)).toBe("one two");
    expect(quoted("one two", 7)).toBe("one two");
    expect(quoted("模型不存在请检查", 4)).toBe("模型不存");
    expect(describeBody("x".repeat(500))).toBe("");
  });

  test("are runs of the text's own, however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[!-~]{1,12}$/)), fc.nat({ max: 60 }), (words, most) => {
        const kept = quoted(words.join(" "), most);
        expect(kept.length).toBeLessThanOrEqual(most);
        const runs = kept === "" ? [] : kept.split(" ");
        expect(runs).toEqual(words.slice(0, runs.length));
      }),
    );
  });
});
