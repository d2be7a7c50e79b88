import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngestServerOptions, IngestServerStats } from "./ingest-server.ts";
import type { IngestFigures, IngestWork } from "./ingest-worker.ts";
import { type BenchArgs, compare, note, report } from "./report.ts";

const tasks = 10_000;
/** Requests that one at a time is measured by; the whole takes minutes. */
const sample = 300;
const bigBytes = 200_000_000;
const largeTasks = 333_334;

/** Ingest from a local server: its pace against one request at a time, its second run, its memory. */
export async function benchIngest({ large }: BenchArgs): Promise<void> {
  if (large) return benchLarge();
  await benchPace();
  await benchBig("screenshot", "a 200 MB solution, one long screenshot");
  await benchBig("steps", "a 200 MB solution, many small steps");
}

async function benchPace(): Promise<void> {
  await withServer({ tasks, delayMs: 20 }, async (baseUrl, statsOf, dir) => {
    const first = await ingest({ baseUrl, dir });
    const { connections } = await statsOf();
    const { tool, msEach } = await oneAtATime(baseUrl, dir);
    const what = `${tasks} tasks with ${tasks * 3} solutions from a server 20 ms away`;
    // As many requests as ours, from the time that each of a sample takes.
    compare(
      what,
      first.seconds,
      (msEach * first.requests) / 1_000,
      "s",
      `${tool}, one at a time (scaled)`,
      12,
    );
    note("requests of that", first.requests, "requests");
    note("connections of that", connections, "sockets");
    note("CPU of a request, all included", (first.cpuSeconds / first.requests) * 1_000, "ms");
    report("ingest, most memory (RSS)", first.rssMost, "MiB", { atMost: 200 });
    const second = await ingest({ baseUrl, dir });
    const share = (100 * second.requests) / first.requests;
    report(`second, unchanged ingest: ${second.requests} requests`, share, "%", { atMost: 2 });
  });
}

async function benchBig(as: "steps" | "screenshot", what: string): Promise<void> {
  await withServer({ tasks: 1, delayMs: 0, big: { bytes: bigBytes, as } }, async (baseUrl, _, dir) => {
    const { seconds, rssBefore, rssMost } = await ingest({ baseUrl, dir });
    note(what, bigBytes / 1e6 / seconds, "MB/s");
    report(`${what}, growth of RSS`, rssMost - rssBefore, "MiB", { atMost: 150 });
  });
}

async function benchLarge(): Promise<void> {
  await withServer({ tasks: largeTasks, delayMs: 0 }, async (baseUrl, _, dir) => {
    for (const which of ["first", "second, unchanged"]) {
      const { seconds, requests, rssMost } = await ingest({ baseUrl, dir });
      note(`ingest of ${largeTasks * 3} solutions, ${which}`, seconds, "s");
      note("requests of that", requests, "requests");
      report("most memory of that (RSS)", rssMost, "MiB", { atMost: 200 });
    }
  });
}

/** Runs `work` against a server and a folder that are gone afterwards. */
async function withServer(
  options: IngestServerOptions,
  work: (baseUrl: string, statsOf: () => Promise<IngestServerStats>, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  const server = child("ingest-server.ts", options);
  try {
    const { url } = await messageFrom<{ url: string }>(server);
    const statsOf = (): Promise<IngestServerStats> => {
      server.send("stats");
      return messageFrom(server);
    };
    await work(url, statsOf, dir);
  } finally {
    server.disconnect();
    await rm(dir, { recursive: true, force: true });
  }
}

async function ingest(work: IngestWork): Promise<IngestFigures> {
  return messageFrom(child("ingest-worker.ts", work));
}

function child(file: string, input: object): ChildProcess {
  return fork(join(import.meta.dirname, file), [JSON.stringify(input)], { execArgv: [] });
}

async function messageFrom<T>(process: ChildProcess): Promise<T> {
  const ended = once(process, "exit").then(([code]) => {
    throw new Error(`${process.spawnfile} ended with code ${code} before it answered`);
  });
  const [message] = await Promise.race([once(process, "message"), ended]);
  return message as T;
}

/** Milliseconds for a request when each waits for the one before it: curl over one connection, else fetch. */
async function oneAtATime(baseUrl: string, dir: string): Promise<{ tool: string; msEach: number }> {
  const urls = Array.from({ length: sample }, (_, index) => `${baseUrl}/tasks/t${index}/solutions?page=1`);
  const config = join(dir, "urls");
  await writeFile(config, urls.map((url) => `url = "${url}"\noutput = /dev/null\n`).join(""));
  let startedAt = performance.now();
  const curl = spawnSync("curl", ["--silent", "--show-error", "--config", config]);
  if (curl.status === 0) return { tool: "curl", msEach: (performance.now() - startedAt) / sample };
  startedAt = performance.now();
  for (const url of urls) await (await fetch(url)).json();
  return { tool: "a loop over fetch", msEach: (performance.now() - startedAt) / sample };
}
