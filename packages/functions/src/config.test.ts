import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const environment = { TRACEMILL_STAGE: "dev", TRACEMILL_BUCKET: "b", TRACEMILL_TABLE: "t", PATH: "/bin" };

test("a function takes stage, bucket and table from its environment", () => {
  expect(parseConfig(environment)).toEqual({ stage: "dev", bucket: "b", table: "t", prodBaseUrl: undefined });
});

test("a variable that is missing is named", () => {
  const { TRACEMILL_TABLE: _, ...rest } = environment;
  expect(() => parseConfig(rest)).toThrow(/environment of the function: `TRACEMILL_TABLE`: is missing/);
});
