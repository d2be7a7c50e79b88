import { TracemillError } from "@tracemill/core/errors.ts";
import { expect, test } from "vitest";
import { endOfError } from "./exit-code.ts";

test("what may pass by itself is run again, everything else is not", () => {
  const throttled = new TracemillError("storage-failed", "throttled", { retryable: true });
  const damaged = new TracemillError("storage-corrupt", "runs/x: not whole JSON");
  expect(endOfError(throttled, false)).toEqual({ exitCode: 75, reason: "throttled" });
  expect(endOfError(damaged, false)).toEqual({ exitCode: 1, reason: "runs/x: not whole JSON" });
});

test("what broke because the job was told to stop is run again", () => {
  expect(endOfError(new Error("aborted"), true)).toEqual({ exitCode: 75, reason: "aborted" });
});

test("an error that nobody expected keeps its stack", () => {
  expect(endOfError(new RangeError("odd"), false)).toMatchObject({
    exitCode: 1,
    reason: "internal error: odd",
    stack: expect.stringContaining("exit-code.test.ts") as unknown,
  });
});
