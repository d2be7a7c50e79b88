import { expect, test } from "vitest";
import { patiently } from "./patience.ts";

const throttled = Object.assign(new Error("slow down"), { name: "SlowDown" });

/** Time that passes only by sleeping. */
function fakeTime() {
  const pauses: number[] = [];
  let now = 0;
  return {
    pauses,
    now: () => now,
    sleep: async (ms: number) => {
      pauses.push(ms);
      now += ms;
    },
    random: () => 1,
  };
}

test("what passes by itself is tried again, after longer and longer pauses, and knows that it is", async () => {
  const time = fakeTime();
  const tries: boolean[] = [];
  const done = await patiently(async (again) => {
    tries.push(again);
    if (tries.length < 5) throw throttled;
    return "done";
  }, time);
  expect(done).toBe("done");
  expect(tries).toEqual([false, true, true, true, true]);
  expect(time.pauses).toEqual([200, 400, 800, 1_600]);
});

test("after its time it fails with the last error", async () => {
  const time = fakeTime();
  const failing = patiently(() => Promise.reject(throttled), { ...time, patienceMs: 60_000 });
  await expect(failing).rejects.toBe(throttled);
  expect(time.now()).toBeLessThanOrEqual(60_000);
  expect(time.now()).toBeGreaterThan(45_000);
  expect(Math.max(...time.pauses)).toBe(10_000);
});

test("what does not pass fails at once, and so does everything without patience", async () => {
  const time = fakeTime();
  const refused = Object.assign(new Error("no"), { name: "AccessDenied" });
  await expect(patiently(() => Promise.reject(refused), time)).rejects.toBe(refused);
  await expect(patiently(() => Promise.reject(throttled), { ...time, patienceMs: 0 })).rejects.toBe(
    throttled,
  );
  expect(time.pauses).toEqual([]);
});
