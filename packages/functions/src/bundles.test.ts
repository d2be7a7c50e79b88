import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { bundleHandlers } from "../test/bundles.ts";

const run = promisify(execFile);

/** What a deployment deploys. */
const functions = [
  "api",
  "collect",
  "end-run",
  "export-small",
  "ingest",
  "plan",
  "prepare",
  "progress",
  "record-failure",
  "start-run",
];

test("every function's bundle is small, and loads with nothing set and nothing asked of AWS", async () => {
  await using dir = await tempDir();
  const bundles = await bundleHandlers(dir.path);
  expect(bundles.map(({ name }) => name).toSorted()).toEqual(functions);
  // What doubles a size at once is mostly `import { z } from "zod"`, which no bundler can take apart:
  // `import * as z from "zod"` leaves out what is not used.
  const large = bundles.filter(({ name, bytes }) => name !== "export-small" && bytes >= 1_000_000);
  expect(large).toEqual([]);
  for (const { name, path } of bundles) {
    // DuckDB is not in its bundle: it lies beside it.
    if (name === "export-small") continue;
    const program = `const { handler } = await import(${JSON.stringify(path)}); console.log(typeof handler)`;
    const args = ["--input-type=module", "--eval", program];
    const { stdout } = await run(process.execPath, args, { env: {} });
    expect(`${name}: ${stdout.trim()}`).toBe(`${name}: function`);
  }
}, 120_000);
