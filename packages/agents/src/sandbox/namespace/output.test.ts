import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedOutput } from "./output.ts";

test("output that fits comes back whole", () => {
  const output = new BoundedOutput(10);
  output.add(Buffer.from("12345"));
  output.add(Buffer.from("67890"));
  expect(output.text()).toBe("1234567890");
  expect(output.truncated).toBe(false);
});

test("of longer output the first and last halves stay", () => {
  const output = new BoundedOutput(10);
  for (const part of ["123", "456", "789", "abc", "def"]) output.add(Buffer.from(part));
  expect(output.text()).toBe("12345\n[… 5 bytes dropped …]\nbcdef");
  expect(output.truncated).toBe(true);
});

test("cut characters leave no replacement marks, however the output is cut", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀"), minLength: 30, maxLength: 60 });
  fc.assert(
    fc.property(
      text,
      fc.integer({ min: 8, max: 29 }),
      fc.integer({ min: 1, max: 7 }),
      (whole, limit, step) => {
        const bytes = Buffer.from(whole);
        const output = new BoundedOutput(limit);
        for (let at = 0; at < bytes.length; at += step) output.add(bytes.subarray(at, at + step));
        const shown = output.text();
        expect(shown).not.toContain("\ufffd");
        const [head = "", , tail = ""] = shown.split("\n");
        expect(whole.startsWith(head)).toBe(true);
        expect(whole.endsWith(tail)).toBe(true);
        expect(Buffer.byteLength(head)).toBeGreaterThan(limit / 2 - 4);
      },
    ),
  );
});

test("memory stays bounded", () => {
  const output = new BoundedOutput(1000);
  for (let n = 0; n < 5000; n += 1) output.add(Buffer.alloc(1000, "x"));
  expect(Buffer.byteLength(output.text())).toBeLessThan(1100);
});
