import { describe, expect, test } from "vitest";
import { manualClock } from "../../../../test/fakes/manual-clock.ts";
import { type Behaviour, trialWorld, writesAnswer } from "../../../../test/fakes/trial-world.ts";
import { TracemillError } from "../errors.ts";
import type { SandboxProvider } from "../ports/sandbox.ts";
import { evaluateTrial } from "./evaluate.ts";
import { graceMs, timerMs } from "./time-limit.ts";
import { traceTrial } from "./trace.ts";

const never = () => new Promise<never>(() => {});

/** Counts the sandboxes that are open. */
function counted(open: { count: number }) {
  return (plain: SandboxProvider): SandboxProvider => ({
    ...plain,
    create: async (spec) => {
      const sandbox = await plain.create(spec);
      open.count += 1;
      let closed = false;
      const close = sandbox.close.bind(sandbox);
      sandbox.close = async () => {
        if (!closed) open.count -= 1;
        closed = true;
        await close();
      };
      return sandbox;
    },
  });
}

async function worldWith(agent: Behaviour, limits: Record<string, unknown> = { time: "60s" }) {
  const clock = manualClock();
  const open = { count: 0 };
  const begun = Promise.withResolvers<void>();
  const world = await trialWorld({
    agent: (context, call) => {
      begun.resolve();
      return agent(context, call);
    },
    spec: { limits, retry: { max: 0 } },
    sandboxes: counted(open),
  });
  return { ...world, begun: begun.promise, clock, open, deps: { ...world.deps, clock } };
}

describe("an agent's time", () => {
  test("ends for an agent that ignores its signal, and its sandbox is closed", async () => {
    const world = await worldWith(never);
    const tracing = traceTrial(world.trial, world.deps);
    await world.begun;
    await world.clock.advance(60_000 + graceMs - 1);
    expect(world.open.count).toBe(1);
    await world.clock.advance(1);
    expect(await tracing).toBe("ended");
    expect(world.open.count).toBe(0);
    expect((await world.result("trl_1", 1)).outcome).toEqual({
      kind: "environment-failed",
      reason: "the time ran out after 60 s, and no trajectory came: told to stop, it went on for 15 s",
    });
    expect(world.clock.sleepers).toBe(0);
  });

  test("ends for an agent that ignores a request to stop", async () => {
    const world = await worldWith(never, {});
    const tracing = traceTrial(world.trial, world.deps);
    await world.begun;
    await world.clock.advance(1_000);
    world.stopping.abort();
    await world.clock.advance(graceMs);
    expect(await tracing).toBe("skipped");
    expect(world.open.count).toBe(0);
    expect((await world.result("trl_1", 1)).outcome.kind).toBe("cancelled");
  });

  test("that runs out in a model's call is no cancellation of the run", async () => {
    const world = await worldWith(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new TracemillError("cancelled", "the request was aborted");
    });
    const tracing = traceTrial(world.trial, world.deps);
    await world.begun;
    await world.clock.advance(60_000);
    expect(await tracing).toBe("ended");
    expect((await world.result("trl_1", 1)).outcome.kind).toBe("environment-failed");
  });

  test("leaves nothing behind when the agent is done in time", async () => {
    const world = await worldWith(writesAnswer("42"));
    expect(await traceTrial(world.trial, world.deps)).toBe("traced");
    expect(await evaluateTrial(world.trial, world.deps)).toBe("ended");
    expect(world.clock.sleepers).toBe(0);
    expect(world.open.count).toBe(0);
  });

  test.each([
    [1.1, 1_100],
    [0.0004, 1],
    [1e9, 2 ** 31 - 1],
  ])("of %d seconds fits a timer", (seconds, ms) => expect(timerMs(seconds)).toBe(ms));
});

test("a sandbox that cannot be cleaned up does not cost the attempt", async () => {
  const world = await trialWorld({
    sandboxes: (plain) => ({
      ...plain,
      create: async (spec) => {
        const sandbox = await plain.create(spec);
        sandbox.close = () => Promise.reject(new Error("EBUSY"));
        return sandbox;
      },
    }),
  });
  expect(await traceTrial(world.trial, world.deps)).toBe("traced");
  expect(await evaluateTrial(world.trial, world.deps)).toBe("ended");
  expect((await world.result("trl_1", 1)).outcome.kind).toBe("scored");
});
