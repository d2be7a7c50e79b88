import { expect, test } from "vitest";
import { batchOwner } from "./owner.ts";

const worker = { execution: "run_1-1", stage: "trace", target: "shd_1", jobId: "job-1", attempt: 1 };

test("a job's next attempt, and the job of the next stage, take its leases over at once", () => {
  const first = batchOwner(worker);
  expect(batchOwner({ ...worker, attempt: 2 }).isGone(first.id)).toBe(true);
  expect(batchOwner({ ...worker, stage: "evaluate", jobId: "job-2" }).isGone(first.id)).toBe(true);
});

test("nobody is gone by its own word, nor in another shard or execution", () => {
  const first = batchOwner(worker);
  expect(first.isGone(first.id)).toBe(false);
  expect(batchOwner({ ...worker, target: "shd_2" }).isGone(first.id)).toBe(false);
  expect(batchOwner({ ...worker, target: "shd_11" }).isGone(first.id)).toBe(false);
  expect(batchOwner({ ...worker, execution: "run_1-2" }).isGone(first.id)).toBe(false);
  expect(first.isGone("laptop/boot/1/2/3/own_1")).toBe(false);
});

test("verification goes on with what an earlier execution traced, and waits for what one may still verify", () => {
  const resumed = batchOwner({ ...worker, execution: "run_1-2", stage: "evaluate" });
  expect(resumed.isGone(batchOwner(worker).id)).toBe(true);
  expect(resumed.isGone(batchOwner({ ...worker, stage: "evaluate" }).id)).toBe(false);
  expect(resumed.isGone(batchOwner({ ...worker, target: "shd_2" }).id)).toBe(false);
});
