import { expect, test } from "vitest";
import { Pace } from "./pace.ts";

const throttled = Object.assign(new Error("slow down"), { name: "SlowDown" });

/** Runs requests that end when told; counts how many are under way. */
function requests(pace: Pace) {
  const open: ((error?: Error) => void)[] = [];
  const start = (): Promise<void> =>
    pace.run(
      () =>
        new Promise<void>((resolve, reject) => {
          open.push((error) => (error === undefined ? resolve() : reject(error)));
        }),
    );
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { open, start, settle };
}

test("one burst of throttling halves what is under way once, not once a request", async () => {
  const pace = new Pace();
  const { open, start } = requests(pace);
  const all = Array.from({ length: 16 }, () => start());
  for (const end of open.splice(0)) end(throttled);
  await Promise.allSettled(all);
  expect(pace.window).toBe(8);
});

test("requests beyond the window wait for a place, and each gets one", async () => {
  const pace = new Pace();
  const { open, start, settle } = requests(pace);
  const burst = Array.from({ length: 4 }, () => start());
  for (const end of open.splice(0)) end(throttled);
  await Promise.allSettled(burst);
  const all = Array.from({ length: 10 }, () => start());
  await settle();
  expect(open).toHaveLength(2);
  for (let ended = 0; ended < 10; ended += 1) {
    open.shift()?.();
    await settle();
  }
  await Promise.all(all);
  expect(pace.window).toBeGreaterThan(2);
});

test("it never falls below one, and grows back", async () => {
  const pace = new Pace();
  for (let n = 0; n < 10; n += 1) await pace.run(() => Promise.reject(throttled)).catch(() => undefined);
  expect(pace.window).toBe(1);
  for (let n = 0; n < 100; n += 1) await pace.run(() => Promise.resolve());
  expect(pace.window).toBeGreaterThan(8);
});

test("an error that is nobody's overload changes nothing", async () => {
  const pace = new Pace();
  const refused = Object.assign(new Error("no"), { name: "AccessDenied" });
  await expect(pace.run(() => Promise.reject(refused))).rejects.toThrow("no");
  expect(pace.window).toBe(128);
});
