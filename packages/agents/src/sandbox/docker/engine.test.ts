import { TracemillError } from "@tracemill/core/errors.ts";
import { expect, test } from "vitest";
import { callEngine, hasStatus } from "./engine.ts";

const never = () => new Promise<never>(() => undefined);

test("an engine that hangs is a failure that may be tried again", async () => {
  await expect(callEngine("starting a container", never, { ms: 20 })).rejects.toMatchObject({
    code: "sandbox-failed",
    retryable: true,
    message: expect.stringMatching(/^starting a container: .*no answer/),
  });
});

test("a request that is cancelled ends with the caller's reason, and is told to stop", async () => {
  const stop = new AbortController();
  const reason = new TracemillError("cancelled", "stopped on request");
  let told: AbortSignal | undefined;
  const waiting = callEngine(
    "starting a container",
    (signal) => {
      told = signal;
      return never();
    },
    { signal: stop.signal },
  );
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(told?.aborted).toBe(true);
});

test("what the engine says is passed on, with its status", async () => {
  const answer = Object.assign(new Error("(HTTP code 409) conflict - it is paused"), {
    statusCode: 409,
    json: { message: "it is paused" },
  });
  const failed = callEngine("starting a command", () => Promise.reject(answer));
  await expect(failed).rejects.toMatchObject({
    code: "sandbox-failed",
    message: "starting a command: it is paused",
  });
  await expect(failed).rejects.toSatisfy((error) => hasStatus(error, 409) && !hasStatus(error, 404));
});

test("an engine that is not there is said so", async () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED /var/run/docker.sock"), {
    code: "ECONNREFUSED",
  });
  await expect(callEngine("listing containers", () => Promise.reject(refused))).rejects.toMatchObject({
    message: expect.stringMatching(/cannot be reached.*tracemill doctor/),
  });
});
