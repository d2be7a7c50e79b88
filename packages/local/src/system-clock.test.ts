import { expect, test } from "vitest";
import { systemClock } from "./system-clock.ts";

test("a sleep longer than a timer can hold goes on until it is stopped", async () => {
  const signal = AbortSignal.timeout(50);
  await expect(systemClock.sleep(2 ** 31 * 10, signal)).rejects.toThrow("abort");
});

test("a sleep ends when its time is over", async () => {
  const before = performance.now();
  await systemClock.sleep(20);
  await systemClock.sleep(0);
  expect(performance.now() - before).toBeGreaterThan(15);
});
