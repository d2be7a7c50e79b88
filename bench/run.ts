/**
 * Runs benchmarks and prints each figure with its ratio to a goal or to a public tool measured in the same run.
 *
 *   npm run bench              all of them
 *   npm run bench -- trials    one
 */
import { benchSandbox } from "./sandbox.ts";
import { benchTrials } from "./trials.ts";

const benches: Record<string, () => Promise<void>> = { trials: benchTrials, sandbox: benchSandbox };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(", ")}; known: ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n== ${name}`);
  await bench();
}
