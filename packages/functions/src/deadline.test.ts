import { setTimeout as sleep } from "node:timers/promises";
import { TracemillError } from "@tracemill/core/errors.ts";
import { describe, expect, test } from "vitest";
import { deadlineOf } from "./deadline.ts";

describe("the deadline of a function", () => {
  test("comes at three quarters of a short time", async () => {
    using deadline = deadlineOf(40);
    expect(deadline.signal.aborted).toBe(false);
    await sleep(60);
    expect(deadline.signal.aborted).toBe(true);
  });

  test("explains a sleep and work that ended because of it, and nothing else", async () => {
    using deadline = deadlineOf(4);
    const slept = await sleep(1_000, undefined, { signal: deadline.signal }).catch((error: unknown) => error);
    expect(deadline.caused(slept)).toBe(true);
    expect(deadline.caused(new TracemillError("cancelled", "stopped on request"))).toBe(true);
    expect(deadline.caused(new TracemillError("unauthorized", "no"))).toBe(false);
    expect(deadline.caused(new Error("broken"))).toBe(false);
  });

  test("explains nothing before it came", () => {
    using deadline = deadlineOf(60_000);
    expect(deadline.caused(new TracemillError("cancelled", "stopped on request"))).toBe(false);
  });
});
