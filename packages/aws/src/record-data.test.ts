import { describe, expect, test } from "vitest";
import { dataAttribute, dataText } from "./record-data.ts";
import { recordOf } from "./record-item.ts";

const row = {
  trajectory: `runs/${"x".repeat(600)}`,
  reason: "Größe ✓",
  keys: ["runs/a/1", "runs/a/2"],
  n: 0.1,
};

describe("a row's data", () => {
  test("comes back as it was put, short or long", () => {
    for (const text of ["{}", '{"a":"ß"}', JSON.stringify(row), JSON.stringify("é".repeat(100_000))])
      expect(dataText(dataAttribute(text))).toBe(text);
  });

  test("is readable text while it is short, and takes less room when it is long", () => {
    expect(dataAttribute('{"status":"ended"}')).toEqual({ S: '{"status":"ended"}' });
    const text = JSON.stringify({ ...row, more: "runs/a/trials/b/1/trajectory.json".repeat(20) });
    expect(dataAttribute(text).B?.byteLength).toBeLessThan(text.length / 2);
  });

  test("is read from rows of both kinds, and damage is named", () => {
    const item = { pk: { S: "run#1" }, sk: { S: "trial#1" }, version: { N: "3" } };
    const text = JSON.stringify(row);
    for (const data of [dataAttribute(text), { S: text }])
      expect(recordOf({ ...item, data }).data).toEqual(row);
    expect(() => recordOf({ ...item, data: { B: Buffer.from("nonsense") } })).toThrow("run#1/trial#1");
  });
});
