import fc from "fast-check";
import { expect, test } from "vitest";
import { type Known, parseIndexLine, toIndexLine } from "./index-line.ts";
import { KnownTasks } from "./known-tasks.ts";

const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const known = fc.option(
  fc.record({
    entry: word,
    task: word,
    solutions: word,
    count: fc.nat(2 ** 31),
    held: fc.boolean(),
    moving: fc.boolean(),
  }),
  { nil: undefined },
);

test("what is known of a task is what the newest snapshot that speaks of it says, however many there are", () => {
  // Few ids, so that they come again, and next to each other, so that their slots collide.
  const ids = fc.oneof(fc.bigInt({ min: 1n, max: 50n }), fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }));
  const lines = fc.array(fc.tuple(ids, known), { maxLength: 3_000, size: "max" });
  const property = fc.property(lines, (given) => {
    const tasks = new KnownTasks();
    const wanted = new Map<bigint, Known | undefined>();
    for (const [id, each] of given) {
      tasks.addOlder(id, each);
      if (!wanted.has(id)) wanted.set(id, each);
    }
    for (const [id, each] of wanted) expect(tasks.get(id)).toEqual(each);
    expect(tasks.size).toBe(wanted.size);
    expect(tasks.get(51n)).toEqual(wanted.get(51n));
  });
  fc.assert(property, { numRuns: 30 });
});

test("an index line gives back what was written, whatever the id", () => {
  const property = fc.property(fc.string({ unit: "binary" }), known, (id, each) => {
    expect(parseIndexLine(toIndexLine({ id, known: each }), "line")).toMatchObject({ id, known: each });
  });
  fc.assert(property);
});

test("an index line that is none is named", () => {
  expect(() => parseIndexLine('["t1","xyz","0","0",0,0]', "index-00000 line 7")).toThrow(
    /index-00000 line 7/,
  );
});
