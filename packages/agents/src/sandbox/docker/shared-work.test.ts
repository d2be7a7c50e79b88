import { TracemillError } from "@tracemill/core/errors.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SharedWork } from "./shared-work.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const broken = new TracemillError("sandbox-failed", "line 2: RUN false exits with 1");

test("what fails by itself is not done again for five minutes", async () => {
  const shared = new SharedWork<string>();
  const work = vi.fn(async () => Promise.reject(broken));
  const ask = () => shared.do("hash", work, undefined);
  await Promise.all([ask(), ask()].map((asked) => expect(asked).rejects.toBe(broken)));
  await expect(ask()).rejects.toBe(broken);
  expect(work).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(5 * 60_000);
  await expect(ask()).rejects.toBe(broken);
  expect(work).toHaveBeenCalledTimes(2);
});

test("what may work the next time is tried again, and so is what has worked", async () => {
  const shared = new SharedWork<string>();
  const retryable = new TracemillError("sandbox-failed", "the engine is gone", { retryable: true });
  const results = [Promise.reject(retryable), Promise.resolve("a"), Promise.resolve("b")];
  const ask = () => shared.do("hash", async () => (await results.shift()) ?? "", undefined);
  await expect(ask()).rejects.toBe(retryable);
  expect(await ask()).toBe("a");
  expect(await ask()).toBe("b");
});

test("a stopped trial stops nobody else, and waits for nobody's work", async () => {
  const shared = new SharedWork<string>();
  const first = new AbortController();
  const second = new AbortController();
  const until = (signal: AbortSignal) => () =>
    new Promise<string>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  const begun = shared.do("hash", until(first.signal), first.signal);
  const waiting = shared.do("hash", async () => "mine", undefined);
  const impatient = shared.do("hash", async () => "never", second.signal);
  const stop = new TracemillError("cancelled", "stopped");
  second.abort(stop);
  await expect(impatient).rejects.toBe(stop);
  first.abort(stop);
  await expect(begun).rejects.toBe(stop);
  expect(await waiting).toBe("mine");
});
