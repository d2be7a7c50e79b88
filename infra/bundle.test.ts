import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleExport, bundleHandler, nativeCpu } from "./bundle.ts";
import { functionMemory, functionNames, functionSeconds } from "./function-sizes.ts";
import { root } from "./synthesized.ts";

const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

test("every handler is deployed, and nothing else", () => {
  const handlers = readdirSync(join(root, "packages/functions/src/handlers"))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => file.replace(/\.ts$/, ""));
  expect([...functionNames].toSorted()).toEqual(handlers.toSorted());
});

test("the same sources give the same bundle, with no path of the machine that made it", () => {
  const file = join(bundleHandler("end-run", root), "index.mjs");
  const [first, map] = [hashOf(file), hashOf(`${file}.map`)];
  bundleHandler("end-run", root);
  expect([hashOf(file), hashOf(`${file}.map`)]).toEqual([first, map]);
  for (const each of [file, `${file}.map`]) expect(readFileSync(each, "utf8")).not.toContain(root);
});

test("the names by which the state machine knows what to try again survive minification", async () => {
  const { retryableError } = await import("./asl/retries.ts");
  const bundle = readFileSync(join(bundleHandler("plan", root), "index.mjs"), "utf8");
  expect(bundle).toContain(retryableError);
});

test("the export is bundled with DuckDB's own library", () => {
  const cpu = nativeCpu(root);
  if (cpu === undefined) return expect(process.platform).not.toBe("linux");
  const folder = bundleExport(cpu, root);
  expect(existsSync(join(folder, `node_modules/@duckdb/node-bindings-linux-${cpu}/libduckdb.so`))).toBe(true);
  return expect(existsSync(join(folder, "index.mjs"))).toBe(true);
});

test("sizes are what Lambda allows", () => {
  for (const name of functionNames) {
    expect(functionSeconds[name]).toBeLessThanOrEqual(900);
    expect(functionMemory[name]).toBeGreaterThanOrEqual(128);
    expect(functionMemory[name]).toBeLessThanOrEqual(10_240);
  }
});
