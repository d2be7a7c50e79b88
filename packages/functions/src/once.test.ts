import { expect, test } from "vitest";
import { once } from "./once.ts";

test("a value is made once, when it is first asked for", () => {
  let made = 0;
  const value = once(() => {
    made += 1;
    return { made };
  });
  expect(made).toBe(0);
  expect(value()).toBe(value());
  expect(made).toBe(1);
});

test("a warm function tries again what failed before, and keeps what came of it", async () => {
  let tries = 0;
  const value = once(async () => {
    tries += 1;
    if (tries === 1) throw new Error("throttled");
    return tries;
  });
  await expect(value()).rejects.toThrow("throttled");
  expect(await value()).toBe(2);
  expect(await value()).toBe(2);
});
