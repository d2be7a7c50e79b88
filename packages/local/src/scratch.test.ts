import { readdirSync } from "node:fs";
import { join } from "node:path";
import { collect } from "@tracemill/core/streams.ts";
import { expect, test } from "vitest";
import { tempDir } from "../../../test/fakes/temp-dir.ts";
import { tempScratch } from "./scratch.ts";

test("what was written is read from the start, as often as wanted", async () => {
  await using dir = await tempDir();
  await using file = await tempScratch(join(dir.path, "new")).create();
  await file.write("grün ");
  await file.write(Buffer.alloc(700_000, "x"));
  expect(file.size).toBe(700_006);
  const first = await collect(file.read());
  expect(first.toString()).toBe(`grün ${"x".repeat(700_000)}`);
  expect(await collect(file.read())).toEqual(first);
});

test("an empty scratch file reads as nothing", async () => {
  await using dir = await tempDir();
  await using file = await tempScratch(dir.path).create();
  expect(await collect(file.read())).toHaveLength(0);
});

test("a reader may stop early", async () => {
  await using dir = await tempDir();
  await using file = await tempScratch(dir.path).create();
  await file.write(Buffer.alloc(700_000));
  for await (const chunk of file.read()) {
    expect(chunk.byteLength).toBeLessThan(700_000);
    break;
  }
  expect(await collect(file.read())).toHaveLength(700_000);
});

test("writing after reading is an error", async () => {
  await using dir = await tempDir();
  await using file = await tempScratch(dir.path).create();
  await file.write("x");
  file.read();
  await expect(file.write("y")).rejects.toMatchObject({ code: "conflict" });
});

test("a killed process leaves no files, since none has a name", async () => {
  await using dir = await tempDir();
  await using file = await tempScratch(dir.path).create();
  await file.write(Buffer.alloc(700_000));
  expect(readdirSync(dir.path)).toEqual([]);
});
