/**
 * Runs benchmarks and prints each figure with its ratio to a goal or to a public tool measured in the same run.
 *
 *   npm run bench                          all of them
 *   npm run bench -- store inspect         some
 *   npm run bench -- store --large --keep  at full size; what was built is kept for the next time
 *   npm run bench -- --json FILE           the figures as JSON too
 *
 * A tool that is not here gives a line "missing: …"; a benchmark that breaks is named at the end, with exit code 1.
 */
import { parseArgs } from "node:util";
import { benchDocker } from "./docker.ts";
import { benchExport } from "./export.ts";
import { benchIngest } from "./ingest.ts";
import { benchInspect } from "./inspect.ts";
import { benchProxy } from "./proxy.ts";
import { benchRedact } from "./redact.ts";
import { type BenchArgs, beginBench, missing, sayTable, writeJson } from "./report.ts";
import { benchSandbox } from "./sandbox.ts";
import { benchStore } from "./store.ts";
import { benchTrials } from "./trials.ts";

const benches: Record<string, (args: BenchArgs) => Promise<void>> = {
  trials: benchTrials,
  sandbox: benchSandbox,
  docker: benchDocker,
  inspect: benchInspect,
  store: benchStore,
  ingest: benchIngest,
  export: benchExport,
  proxy: benchProxy,
  redact: benchRedact,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    large: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    json: { type: "string" },
  },
});
const unknown = positionals.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; known: ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(benches)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  beginBench(name);
  try {
    await bench({ large: values.large, keep: values.keep });
  } catch (error) {
    process.exitCode = 1;
    missing(name, `it broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
sayTable();
if (values.json !== undefined) await writeJson(values.json);
