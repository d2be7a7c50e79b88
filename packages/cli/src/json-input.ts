import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { isObject, parseExact } from "@tracemill/core/ingest/json.ts";

/** A JSON object from a file, numbers as they were written (`parseExact`); `-` is standard input. @throws TracemillError `invalid-input`, naming the file. */
export async function readJsonInput(path: string): Promise<Record<string, unknown>> {
  const name = path === "-" ? "standard input" : path;
  try {
    const value = parseExact(path === "-" ? await text(process.stdin) : await readFile(path, "utf8"));
    if (isObject(value)) return value;
  } catch (error) {
    throw new TracemillError("invalid-input", `${name}: cannot be read as JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  throw new TracemillError("invalid-input", `${name}: holds no JSON object`);
}
