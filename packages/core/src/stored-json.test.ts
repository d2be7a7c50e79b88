import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryObjectStore } from "../../../test/fakes/memory-stores.ts";
import { readCheckpoint } from "./ingest/parts.ts";
import { objectKeys } from "./keys.ts";
import { Plan } from "./run/plan.ts";
import { findStored, jsonLine, readStored } from "./stored-json.ts";

test.each([
  ["cut off", '{"schemaVersion": 1, "run', "not whole JSON"],
  ["of another shape", '{"schemaVersion": 1}', "`runId`"],
])("a stored object that is %s is named, with what is wrong", async (_name, text, message) => {
  const objects = memoryObjectStore();
  await objects.put("runs/r/plan/shards.json", Buffer.from(text));
  await expect(readStored(objects, "runs/r/plan/shards.json", Plan)).rejects.toMatchObject({
    code: "storage-corrupt",
    message: expect.stringMatching(new RegExp(`^runs/r/plan/shards.json: .*${message}`)),
  });
});

test("an object that is not there is nothing, or an error where it has to be there", async () => {
  const objects = memoryObjectStore();
  expect(await findStored(objects, "nothing.json", Plan)).toBeUndefined();
  await expect(readStored(objects, "nothing.json", Plan)).rejects.toMatchObject({ code: "not-found" });
});

test("a checkpoint of an ingest that was cut off is a damaged store, not a fault of the program", async () => {
  const objects = memoryObjectStore();
  const place = { source: "prod", snapshotId: "snap_1" };
  const key = objectKeys.snapshotCheckpoint(place.source, place.snapshotId, 0);
  await objects.put(key, Buffer.from('{"number": 0'));
  await expect(readCheckpoint(objects, place, 0)).rejects.toMatchObject({ code: "storage-corrupt" });
});

test("a line of JSON is what JSON says, save halves of characters", () => {
  const half = String.fromCharCode(0xd83d);
  const written = { half, escaped: "\\ud83d", both: `\\${half}\\\\${half}`, whole: "👩" };
  expect(JSON.parse(jsonLine(written))).toEqual({
    ...written,
    half: "\ufffd",
    both: "\\\ufffd\\\\\ufffd",
  });
  const strings = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\\", half, "\\ud83d")));
  fc.assert(
    fc.property(strings, (parts) => {
      const text = parts.join("");
      expect(JSON.parse(jsonLine([text]))).toEqual([text.toWellFormed()]);
    }),
  );
});
