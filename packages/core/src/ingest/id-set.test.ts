import fc from "fast-check";
import { expect, test } from "vitest";
import { hashId, IdSet } from "./id-set.ts";

test("holds what a Set would hold", () => {
  const hashes = fc.array(
    fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 5n })),
  );
  fc.assert(
    fc.property(hashes, (list) => {
      const expected = new Set<bigint>();
      const ids = new IdSet();
      for (const hash of list) {
        expect(ids.has(hash)).toBe(expected.has(hash));
        expect(ids.add(hash)).toBe(!expected.has(hash));
        expected.add(hash);
      }
      expect(ids.size).toBe(expected.size);
    }),
  );
});

test("grows past its first size without losing an id", () => {
  const ids = new IdSet();
  for (let index = 0; index < 20_000; index += 1) ids.add(hashId(`task-${index}`));
  expect(ids.size).toBe(20_000);
  for (let index = 0; index < 20_000; index += 1) expect(ids.has(hashId(`task-${index}`))).toBe(true);
  expect(ids.has(hashId("task-20000"))).toBe(false);
});
