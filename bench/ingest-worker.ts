/**
 * One ingest in a process of its own, so that its memory can be told from that of other work. Takes what to do as
 * JSON, answers its parent with an `IngestFigures`.
 */
import { join } from "node:path";
import { ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { keepHeapSmall } from "@tracemill/local/small-heap.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";

export interface IngestWork {
  baseUrl: string;
  /** Folder of the stores. */
  dir: string;
}

export interface IngestFigures {
  seconds: number;
  requests: number;
  rows: number;
  /** CPU seconds, all threads. */
  cpuSeconds: number;
  /** MiB when the ingest began, and the most it was. */
  rssBefore: number;
  rssMost: number;
}

const { baseUrl, dir } = JSON.parse(process.argv[2] ?? "") as IngestWork;
// As the command does it.
keepHeapSmall();
const records = openRecordStore(join(dir, "records.sqlite"));
const deps = {
  objects: openObjectStore(join(dir, "objects")),
  records,
  clock: systemClock,
  random: Math.random,
  fetch,
  token: "bench",
};
const rssBefore = process.memoryUsage.rss() / 1024 ** 2;
const startedAt = performance.now();
const { counts } = await ingestSnapshot({ baseUrl }, deps);
const seconds = (performance.now() - startedAt) / 1_000;
records.close();
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const figures: IngestFigures = {
  seconds,
  requests: counts.requests,
  rows: counts.rows,
  cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  rssBefore,
  rssMost: maxRSS / 1024,
};
process.send?.(figures, () => process.disconnect());
