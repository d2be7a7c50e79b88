import fc from "fast-check";
import { expect, test } from "vitest";
import { anchorTable } from "./anchor-table.ts";

const anchors = ["sk-", "ghp_", "password", "AKIA", "://"];

test("every place where an anchor stands is found, in either case", () => {
  const nextPlace = anchorTable(anchors);
  const part = fc.oneof(
    fc.constantFrom(...anchors, ...anchors.map((each) => each.toUpperCase())),
    fc.string({ unit: "binary", maxLength: 9 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      const found = new Set<number>();
      for (let at = nextPlace(text, 0); at >= 0; at = nextPlace(text, at + 1)) found.add(at);
      for (const anchor of anchors) {
        for (const { index } of text.matchAll(new RegExp(RegExp.escape(anchor), "gi")))
          expect(found).toContain(index);
      }
      expect(found.has(-1)).toBe(false);
    }),
  );
});
