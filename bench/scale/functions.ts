/** What the functions of the state machine answer, and how long they take at this size. */
import type { EventLoop } from "./event-loop.ts";
import type { Answer } from "./lambda.ts";
import type { StoreMeters } from "./meters.ts";
import { listBytesPerSecond, putSeconds, rowsPerSecond, shardRowsPerReadUnit } from "./pace.ts";
import { itemOf, runId, type Scenario, stack } from "./scenario.ts";

/** What the functions answer. */
export class Functions {
  readonly #scenario: Scenario;
  readonly #meters: StoreMeters;
  readonly #loop: EventLoop;
  #round = 0;
  #what: "images" | "shards" = "shards";
  #isDone = { images: false, shards: false };
  listBytes = 0;
  largestItem = 0;

  constructor(scenario: Scenario, meters: StoreMeters, loop: EventLoop) {
    this.#scenario = scenario;
    this.#meters = meters;
    this.#loop = loop;
  }

  answer(name: string): Answer {
    const { plan } = this.#scenario;
    const { now } = this.#loop;
    if (name === "collect") return this.#collect();
    if (name === "prepare") {
      spread(plan.tasks, plan.tasks * putSeconds, (at, share) =>
        this.#meters.add(now + at, { objectPuts: 1 }, share),
      );
      return { seconds: plan.tasks * putSeconds, output: { unfinished: false } };
    }
    if (name === "plan") {
      const seconds = plan.shards.length * putSeconds;
      spread(plan.shards.length, seconds, (at, share) =>
        this.#meters.add(now + at, { objectPuts: 1 }, share),
      );
      return { seconds, output: { unfinished: false } };
    }
    return { seconds: 1, output: { unfinished: false } };
  }

  /** Reads the shards' rows, writes the round's list, decides what is next. */
  #collect(): Answer {
    const { plan, shape } = this.#scenario;
    this.#meters.readUnits.add(this.#loop.now, plan.shards.length / shardRowsPerReadUnit);
    const reading = 1 + plan.shards.length / rowsPerSecond;
    if (shape.images > 0 && !this.#isDone.images) return this.#list("images", shape.images, reading);
    if (!this.#isDone.shards) return this.#list("shards", plan.shards.length, reading);
    return { seconds: reading, output: { next: "export", round: this.#round, in: "job" } };
  }

  #list(what: "images" | "shards", count: number, reading: number): Answer {
    this.#round += 1;
    this.#what = what;
    this.#isDone[what] = true;
    const [first] = this.items();
    const bytes = count * Buffer.byteLength(JSON.stringify(first));
    this.listBytes = Math.max(this.listBytes, bytes);
    this.#meters.add(this.#loop.now, { objectPuts: 1 + Math.ceil(bytes / 8e6) });
    const list = {
      bucket: "tracemill-prod-bucket-abcdefghijkl",
      key: `runs/${runId}/rounds/${runId}-1/${this.#round}-${what}.json`,
      count,
      concurrency: this.#scenario.spec.aws.jobs,
      results: `runs/${runId}/rounds/${runId}-1/results/`,
    };
    return {
      seconds: reading + bytes / listBytesPerSecond,
      output: { next: what, round: this.#round, list },
    };
  }

  /** The round's items, made as they are read: a list of all would not be flat in memory. */
  *items(): Generator<unknown> {
    const { plan, spec } = this.#scenario;
    if (this.#what === "images") {
      for (let index = 0; index < this.#scenario.shape.images; index += 1) yield imageItemOf(index);
      return;
    }
    for (const shard of plan.shards) {
      const item = itemOf(shard, spec);
      this.largestItem = Math.max(this.largestItem, Buffer.byteLength(JSON.stringify(item)));
      yield item;
    }
  }
}

function imageItemOf(index: number): unknown {
  const environment = String(index).padStart(64, "0");
  const image = {
    ...stack.jobs.image,
    jobName: `tm-${runId}-${environment}-image`,
    timeoutSeconds: 7_200,
    parameters: { stage: "image", runId, target: environment },
    tags: {},
  };
  return { runId, execution: `${runId}-1`, environment, image };
}

/** `count` things, evenly over `seconds`. */
function spread(count: number, seconds: number, add: (at: number, share: number) => void): void {
  for (let at = 0; at < seconds; at += 1) add(at, count / Math.max(1, seconds));
}
