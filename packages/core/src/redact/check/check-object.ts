import { isTracemillError, messageOf } from "../../errors.ts";
import { collect, lines, unzstdStream } from "../../streams.ts";
import { readLayer } from "../../workspace/layer.ts";
import { parsedJson } from "../parsed-json.ts";
import { scanBytes } from "../redact-bytes.ts";
import type { ScanningRedactor } from "../scanning-redactor.ts";
import { withMarks } from "../scanning-redactor.ts";
import { checkValue } from "./check-value.ts";
import { excerptOf, type Sighting, sightingsIn } from "./sighting.ts";

/** What came of looking into something stored. */
export interface Checked {
  sightings: readonly Sighting[];
  /** Sightings beyond those that are listed. */
  more: number;
  /** Why it was not looked into, or not to its end. */
  unread?: string;
}

/** Sightings of one object that are listed. */
const listed = 200;

/**
 * Looks for secrets in an object, by what its key says that it is: JSON and JSON lines by their fields, archives by their
 * files, anything else as bytes. Only JSON documents are held in memory.
 */
export async function checkObject(
  key: string,
  body: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
): Promise<Checked> {
  if (key.endsWith(".parquet"))
    return { sightings: [], more: 0, unread: "Parquet; the same rows are in jsonl/" };
  const sightings: Sighting[] = [];
  let more = 0;
  try {
    for await (const sighting of sightingsOf(key, body, redactor)) {
      if (sightings.length < listed) sightings.push(sighting);
      else more += 1;
    }
    return { sightings, more };
  } catch (error) {
    if (isTracemillError(error) && error.code !== "invalid-archive") throw error;
    return { sightings, more, unread: messageOf(error) };
  }
}

function sightingsOf(
  key: string,
  body: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
): AsyncIterable<Sighting> {
  const plain = key.endsWith(".zst") ? unzstdStream(body) : body;
  const name = key.replace(/\.zst$/, "");
  if (name.endsWith(".tar")) return inTar(plain, redactor);
  if (name.endsWith(".jsonl")) return inLines(plain, redactor);
  if (name.endsWith(".json")) return inJson(plain, redactor);
  return inBytes(plain, redactor);
}

async function* inJson(
  body: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
): AsyncGenerator<Sighting> {
  const text = (await collect(body)).toString("utf8");
  const parsed = parsedJson(text);
  if (parsed === undefined) yield* sightingsIn(text, redactor.find(text), "");
  else yield* checkValue(parsed.value, redactor);
}

async function* inLines(
  body: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
): AsyncGenerator<Sighting> {
  let number = 0;
  for await (const line of lines(body)) {
    number += 1;
    const parsed = parsedJson(line);
    const found =
      parsed === undefined ? sightingsIn(line, redactor.find(line), "") : checkValue(parsed.value, redactor);
    for (const each of found) {
      yield { ...each, place: `line ${number}${each.place === "" ? "" : `, ${each.place}`}` };
    }
  }
}

async function* inTar(body: AsyncIterable<Uint8Array>, redactor: ScanningRedactor): AsyncGenerator<Sighting> {
  for await (const entry of readLayer(body)) {
    const path = withMarks(entry.path, { find: redactor.find, count: () => {} });
    yield* sightingsIn(entry.path, redactor.find(entry.path), `${path} (its name)`);
    if (entry.type === "symlink") {
      yield* sightingsIn(entry.target, redactor.find(entry.target), `${path} (its target)`);
    }
    if (entry.type !== "file") continue;
    for await (const each of inBytes(entry.body, redactor)) yield { ...each, place: `${path} ${each.place}` };
  }
}

async function* inBytes(
  body: AsyncIterable<Uint8Array>,
  { find }: ScanningRedactor,
): AsyncGenerator<Sighting> {
  let found: Sighting[] = [];
  let end = 0;
  const passed = scanBytes(body, {
    find,
    found(finding, text, offset) {
      const place = `at byte ${offset + finding.start}`;
      found.push({ place, kind: finding.kind, excerpt: excerptOf(text, finding, end - offset) });
      end = offset + finding.end;
    },
  });
  for await (const _ of passed) {
    yield* found;
    found = [];
  }
  yield* found;
}
