import { describe, expect, test } from "vitest";
import { createCarried, readDemand } from "./demand.ts";

describe("readDemand", () => {
  test.each([
    [{ error: { code: "nonce_required", nonce: "n1" } }, { field: "nonce", value: "n1" }],
    [{ code: "NONCE-REQUIRED" }, { field: "nonce", value: undefined }],
    [
      { error: "Run_Id_Required", run_id: 17 },
      { field: "run_id", value: "17" },
    ],
    [{ detail: { code: "run-id-missing", runId: "r" } }, { field: "run_id", value: "r" }],
    [{ detail: "nonce_required" }, { field: "nonce", value: undefined }],
    [{ errors: [{ code: "missing_run_id" }] }, { field: "run_id", value: undefined }],
    [
      { error: { code: "nonce_expired" }, data: { nonce: "n2" } },
      { field: "nonce", value: "n2" },
    ],
  ])("%j", (body, expected) => {
    expect(readDemand(body)).toEqual(expected);
  });

  test.each([
    [{ error: "not_found" }],
    [{ code: "nonce" }],
    [{ error: { code: "announce_required" } }],
    ["text"],
    [null],
  ])("%j is about something else", (body) => {
    expect(readDemand(body)).toBeUndefined();
  });
});

describe("createCarried", () => {
  test("a value that another request got meanwhile is tried before a new one is made", () => {
    const carried = createCarried(() => 0.5);
    const before = carried.fields();
    carried.take({ code: "nonce_required", nonce: "first" }, before);
    carried.take({ code: "nonce_required", nonce: "second" }, before);
    expect(carried.fields().get("nonce")).toBe("first");
    carried.take({ code: "nonce_expired" }, carried.fields());
    expect(carried.fields().get("nonce")).toMatch(/^[0-9a-f]{32}$/);
  });
});
