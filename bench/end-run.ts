/** Ends the run of a home as the last step of a run does, and prints what that took: `node end-run.ts HOME RUN`. */
import { join } from "node:path";
import { writeResults } from "@tracemill/core/pipeline/results.ts";
import { setRunState } from "@tracemill/core/run/runs.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";

const [dir = "", runId = ""] = process.argv.slice(2);
const objects = openObjectStore(join(dir, "objects"));
const records = openRecordStore(join(dir, "records.sqlite"));
const startedAt = performance.now();
await writeResults(runId, { objects, records, signal: new AbortController().signal });
const seconds = (performance.now() - startedAt) / 1_000;
await setRunState(runId, { status: "finished", finishedAt: new Date().toISOString() }, records);
records.close();
console.log(JSON.stringify({ seconds, residentMiB: process.resourceUsage().maxRSS / 1024 }));
