import { TracemillError } from "@tracemill/core/errors.ts";
import { expect, test } from "vitest";
import { errorForCaller } from "./edge.ts";

test("what may pass by itself is named so that the state machine tries it again, with the same words", () => {
  const error = errorForCaller(new TracemillError("storage-failed", "S3: SlowDown", { retryable: true }));
  expect(error).toMatchObject({ name: "Tracemill.Retryable", message: "S3: SlowDown" });
});

test.each([new TracemillError("invalid-spec", "spec: broken"), new Error("a fault of ours")])(
  "what nobody can wait for stays as it is: %s",
  (error) => {
    expect(errorForCaller(error)).toBe(error);
  },
);
