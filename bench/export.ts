import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rowLine } from "@tracemill/core/dataset/json-row.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { pythonMissing, pythonVenv } from "../test/emulators/venv.ts";
import { writeRun } from "../test/fakes/run-fixture.ts";
import type { ChildReport, ChildTask } from "./export-child.ts";
import { type BenchArgs, compare, missing, note, report } from "./report.ts";
import { sftRow, trajectory } from "./trajectories.ts";

const run = promisify(execFile);

/** 200,000 of these are 300 MB of JSON. */
const rows = 200_000;
const rounds = 5;
const trials = 20_000;

const pyarrow = "pyarrow==26.0.1";

/**
 * Rows to Parquet (zstd) through the writer that exports use, beside pyarrow on the same lines; a whole dataset at ten
 * times the size with `--large`; and a whole `export` of a run.
 */
export async function benchExport({ large }: BenchArgs): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tracemill-bench-"));
  try {
    await benchWriter(dir);
    if (large) await benchLarge(dir);
    else
      missing(`a dataset of ${rows * 10} trajectories`, "run it with --large (10 GB of disk, some minutes)");
    await benchRun(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function benchWriter(dir: string): Promise<void> {
  const input = await writeRows(dir, rows);
  const megabytes = (await stat(input)).size / 1e6;
  const python = await pyarrowPython();
  const ours: ChildReport[] = [];
  const theirs: ChildReport[] = [];
  // In turns, so that what else the machine does falls on both.
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await ourChild({ kind: "encode", input, dir }));
    if (python !== undefined) theirs.push(await theirChild(python, input, dir));
  }
  const [own] = ours.toSorted((a, b) => a.seconds - b.seconds);
  const [other] = theirs.toSorted((a, b) => a.seconds - b.seconds);
  if (own === undefined) return;
  const what = `${rows} trajectories (${megabytes.toFixed(0)} MB) to Parquet`;
  if (other === undefined) note(what, own.seconds, "s");
  else {
    compare(what, own.seconds, other.seconds, "s", "pyarrow", 1);
    compare("its largest resident size", own.peakMiB, other.peakMiB, "MiB", "pyarrow");
    compare("its file", own.bytes / 1e6, other.bytes / 1e6, "MB", "pyarrow");
  }
  await rm(input);
}

async function benchLarge(dir: string): Promise<void> {
  const own = await ourChild({ kind: "tables", rows: rows * 10, dir });
  note(`dataset of ${rows * 10} trajectories, made and written in both forms`, own.seconds, "s");
  report("its largest resident size", own.peakMiB, "MiB", { atMost: 600 });
}

async function benchRun(dir: string): Promise<void> {
  const objects = openObjectStore(join(dir, "objects"));
  const records = openRecordStore(join(dir, "records.sqlite"));
  await writeRun({ trials, trajectory }, { objects, records });
  records.close();
  for (const formats of [["sft", "trials"], ["art"]]) {
    const own = await ourChild({ kind: "export", dir, formats });
    note(`export of ${trials} trials as ${formats.join(" and ")}`, own.seconds, "s");
    report("its largest resident size", own.peakMiB, "MiB", { atMost: 600 });
  }
}

async function writeRows(dir: string, count: number): Promise<string> {
  const path = join(dir, `${count}.jsonl`);
  function* chunks(): Generator<string> {
    for (let index = 0; index < count; index += 100) {
      const lines = Array.from({ length: Math.min(100, count - index) }, (_, at) =>
        rowLine(sftRow(index + at)),
      );
      yield `${lines.join("\n")}\n`;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  return path;
}

const child = fileURLToPath(new URL("./export-child.ts", import.meta.url));

async function ourChild(task: ChildTask): Promise<ChildReport> {
  const { stdout } = await run(process.execPath, [child, JSON.stringify(task)], { maxBuffer: 1e6 });
  return JSON.parse(stdout) as ChildReport;
}

/** pyarrow as its documentation has it: the schema given, both cores, zstd. */
const program = `
import json, os, resource, sys, time
import pyarrow as pa, pyarrow.json as pj, pyarrow.parquet as pq
s = pa.string()
call = pa.struct([("id", s), ("type", s), ("function", pa.struct([("name", s), ("arguments", s)]))])
message = pa.struct([("role", s), ("content", s), ("reasoning_content", s), ("tool_calls", pa.list_(call)), ("tool_call_id", s), ("name", s)])
names = ["tools", "task", "group", "agent", "model", "outcome", "decided_by", "trial_id", "run_id"]
schema = pa.schema([("row_id", s), ("messages", pa.list_(message)), ("reward", pa.float64())] + [(n, s) for n in names])
source, target = sys.argv[1:]
started = time.perf_counter()
table = pj.read_json(source, read_options=pj.ReadOptions(block_size=16 << 20), parse_options=pj.ParseOptions(explicit_schema=schema))
pq.write_table(table, target, compression="zstd")
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peakMiB": peak, "bytes": os.path.getsize(target)}))
`;

async function theirChild(python: string, input: string, dir: string): Promise<ChildReport> {
  const script = join(dir, "pyarrow-writer.py");
  await writeFile(script, program);
  const { stdout } = await run(python, [script, input, join(dir, "theirs.parquet")]);
  return JSON.parse(stdout) as ChildReport;
}

async function pyarrowPython(): Promise<string | undefined> {
  const lacking = await pythonMissing();
  if (lacking !== undefined) {
    missing("pyarrow beside it", lacking);
    return undefined;
  }
  try {
    return (await pythonVenv([pyarrow])).python;
  } catch (error) {
    missing("pyarrow beside it", `pip could not install ${pyarrow}: ${String(error).split("\n")[0]}`);
    return undefined;
  }
}
