import { describe, expect, test } from "vitest";
import { seededRandom } from "../../test/fakes/seeded-random.ts";
import { EventLoop } from "./event-loop.ts";
import { Ec2Instances, fargateTasks, type Place } from "./machines.ts";
import { durationAround, secondsUntil } from "./random.ts";
import { Rate } from "./rates.ts";
import { TokenBucket } from "./token-bucket.ts";

test("simulated time runs callbacks in their order", () => {
  const loop = new EventLoop();
  const seen: string[] = [];
  for (const second of [5, 1, 3, 1]) loop.at(second, () => seen.push(`${second} at ${loop.now}`));
  loop.at(2, () => loop.after(0.5, () => seen.push(`later at ${loop.now}`)));
  loop.run();
  expect(seen).toEqual(["1 at 1", "1 at 1", "later at 2.5", "3 at 3", "5 at 5"]);
});

test("a bucket lets its burst pass at once, and the rest at its rate", () => {
  const bucket = new TokenBucket(2, 3);
  expect([0, 0, 0, 0, 0].map((now) => bucket.reserve(now))).toEqual([0, 0, 0, 0.5, 1]);
  const strict = new TokenBucket(2, 3);
  expect([0, 0, 0, 0, 0.5, 0.5].map((now) => strict.take(now))).toEqual([
    true,
    true,
    true,
    false,
    true,
    false,
  ]);
});

test("a rate knows its peak over a second and over more", () => {
  const rate = new Rate();
  for (const [second, amount] of [
    [0, 10],
    [5.2, 40],
    [5.9, 20],
    [6, 10],
    [9_000, 1],
  ] as const)
    rate.add(second, amount);
  expect(rate.total).toBe(81);
  expect(rate.peak()).toBe(60);
  expect(rate.peak(10)).toBe(8);
});

test("a seed gives the same numbers again, and durations of the mean that is asked for", () => {
  const two = [seededRandom(7), seededRandom(7)].map((random) => [random(), random(), random()]);
  expect(two[0]).toEqual(two[1]);
  const random = seededRandom(1);
  const mean = (draw: () => number) => Array.from({ length: 20_000 }, draw).reduce((a, b) => a + b) / 20_000;
  expect(mean(() => durationAround(300, random))).toBeCloseTo(300, -1);
  expect(mean(() => secondsUntil(2, random)) / 1_800).toBeCloseTo(1, 1);
  expect(secondsUntil(0, random)).toBe(Number.POSITIVE_INFINITY);
});

const terms = { interruptionsPerHour: 0, launchesPerSecond: 1, launchBurst: 2, startSeconds: 30 };

describe("places for jobs", () => {
  test("on Fargate are launched one for each job, at the launch rate", () => {
    const loop = new EventLoop();
    const machines = fargateTasks(loop, () => 0.5, terms);
    const ready: number[] = [];
    for (let index = 0; index < 4; index += 1)
      machines.ask((place) => {
        ready.push(loop.now);
        loop.after(10, () => place.free());
      });
    loop.run();
    expect(ready).toEqual([30, 30, 31, 32]);
    // Each is paid from its launch: 30 s of start and 10 s of work.
    expect(machines.seconds).toBe(4 * 40);
    expect(machines.atOnce.highest).toBe(4);
  });

  test("on EC2 share an instance, and it is given back when idle", () => {
    const loop = new EventLoop();
    const machines = new Ec2Instances(loop, () => 0.5, { ...terms, slots: 4, jobStartSeconds: 5 });
    const ready: number[] = [];
    for (let index = 0; index < 4; index += 1)
      machines.ask((place) => {
        ready.push(loop.now);
        loop.after(10, () => place.free());
      });
    loop.run();
    expect(ready).toEqual([35, 35, 35, 35]);
    expect(machines.launches.total).toBe(1);
    // Launched at 0, free at 45, given back after 120 s without a job.
    expect(machines.seconds).toBe(45 + 120);
  });

  test("are taken away from all jobs of an instance at once", () => {
    const loop = new EventLoop();
    const machines = new Ec2Instances(loop, () => 1 - Math.exp(-1), {
      ...terms,
      interruptionsPerHour: 36,
      slots: 2,
      jobStartSeconds: 0,
    });
    const places: Place[] = [];
    for (let index = 0; index < 2; index += 1) machines.ask((place) => places.push(place));
    loop.run();
    // 36 an hour, drawn at the mean: 100 s after its boot.
    expect(places.map(({ interruptAt }) => interruptAt)).toEqual([130, 130]);
    expect(machines.seconds).toBe(130);
  });
});
