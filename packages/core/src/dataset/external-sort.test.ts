import fc from "fast-check";
import { expect, test } from "vitest";
import { gather } from "../../../../test/fakes/gather.ts";
import { memoryScratch } from "../../../../test/fakes/memory-stores.ts";
import { sortedBy } from "./external-sort.ts";

interface Item {
  key: string;
  at: number;
}

async function* each(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

test("whatever the size of the buffer, items come in the order of their keys, equal ones as they came", async () => {
  const keys = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("a", "b", "ab")));
  await fc.assert(
    fc.asyncProperty(keys, fc.integer({ min: 1, max: 400 }), async (all, bufferChars) => {
      const items = all.map((key, at) => ({ key: key.toWellFormed(), at }));
      const scratch = memoryScratch();
      const sorted = await gather(sortedBy(each(items), ({ key }) => key, { scratch, bufferChars }));
      expect(sorted).toEqual(items.toSorted((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1)));
    }),
  );
});

test("every scratch file is closed, also when the reader stops early", async () => {
  const memory = memoryScratch();
  let open = 0;
  const scratch = {
    async create() {
      const file = await memory.create();
      open += 1;
      const dispose = async () => {
        open -= 1;
      };
      return Object.assign(file, { [Symbol.asyncDispose]: dispose });
    },
  };
  const items = Array.from({ length: 50 }, (_, at) => ({ key: String(at % 7), at }));
  for await (const { key } of sortedBy(each(items), (item) => item.key, { scratch, bufferChars: 60 })) {
    expect(open).toBeGreaterThan(5);
    if (key === "3") break;
  }
  expect(open).toBe(0);
});
