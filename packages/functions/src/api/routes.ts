import { publicSpec } from "@tracemill/core/dataset/manifest.ts";
import { objectKeys, recordKeys } from "@tracemill/core/keys.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { listRuns, readRun, readRunSpec } from "@tracemill/core/run/runs.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { TrialRecord } from "@tracemill/core/run/trial.ts";
import { findStored } from "@tracemill/core/stored-json.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import * as z from "zod";
import { caching, type HttpAnswer, HttpError, jsonAnswer, type Page, takePage } from "./http.ts";

export interface ApiDeps {
  objects: ObjectStore;
  records: RecordStore;
}

/** A Lambda's answer may have 6 MB; JSON text grows when it is packed into one. */
const largestAnswer = 4_000_000;

/** `GET /runs`: newest first. */
export async function runs({ limit, cursor }: Page, { records }: ApiDeps): Promise<HttpAnswer> {
  const { items, next } = await takePage(olderThan(cursor, records), limit, (run) => run.runId);
  return jsonAnswer(200, { runs: items, ...nextOf(next) });
}

async function* olderThan(cursor: string | undefined, records: RecordStore): AsyncGenerator<RunRecord> {
  for await (const run of listRuns(records, { newestFirst: true })) {
    if (cursor === undefined || run.runId < cursor) yield run;
  }
}

/** `GET /runs/:runId`: how it stands, what it was asked to do, and what it has come to. */
export async function run(runId: string, { objects, records }: ApiDeps): Promise<HttpAnswer> {
  const record = await readRun(runId, records);
  const spec = withoutSecrets(await readRunSpec(runId, objects));
  const progress = (await records.get(recordKeys.progress(runId)))?.data;
  return jsonAnswer(200, { run: record, spec, ...(progress === undefined ? {} : { progress }) });
}

/** `GET /runs/:runId/trials`: the rows of trials that were begun, in order of their ids. */
export async function trials(
  runId: string,
  { limit, cursor }: Page,
  { records }: ApiDeps,
): Promise<HttpAnswer> {
  await readRun(runId, records);
  const { pk, sk: prefix } = recordKeys.trial(runId, "");
  const after = cursor === undefined ? {} : { after: recordKeys.trial(runId, cursor).sk };
  const rows = records.query(pk, { prefix, ...after, limit: limit + 1 });
  const { items, next } = await takePage(rows, limit, ({ sk }) => sk.slice(prefix.length));
  const parsed = items.map(({ sk, data }) =>
    parseAs(TrialRecord, data, `record ${pk}/${sk}`, "storage-corrupt"),
  );
  return jsonAnswer(200, { trials: parsed, ...nextOf(next) });
}

/** `GET /trials/:runId/:trialId/:attempt`: the whole record of an ended attempt. */
export async function attempt(
  runId: string,
  trialId: string,
  number: number,
  { objects }: ApiDeps,
): Promise<HttpAnswer> {
  const key = objectKeys.attempt(runId, trialId, number, "result.json");
  const size = (await objects.head(key))?.size ?? 0;
  if (size > largestAnswer)
    throw new HttpError(413, `the record has ${size} bytes; read the object ${key} instead`);
  const result = await findStored(objects, key, z.looseObject({}));
  if (result === undefined) throw new HttpError(404, `no ended attempt ${number} of trial ${trialId}`);
  const trial = hideKeys(result.trial);
  return jsonAnswer(200, { ...result, trial }, { "cache-control": caching.forever });
}

const manifestKey = /^datasets\/([^/]+)\/([^/]+)\/manifest\.json$/;

/** `GET /datasets`: those that are whole, in order of name and version. */
export async function datasets({ limit, cursor }: Page, { objects }: ApiDeps): Promise<HttpAnswer> {
  const { items, next } = await takePage(wholeDatasets(cursor, objects), limit, keyOfDataset);
  return jsonAnswer(200, { datasets: items, ...nextOf(next) });
}

interface Dataset {
  name: string;
  version: string;
  /** Key prefix of its files. */
  prefix: string;
}

function keyOfDataset({ name, version }: Dataset): string {
  return `${name}/${version}`;
}

async function* wholeDatasets(cursor: string | undefined, objects: ObjectStore): AsyncGenerator<Dataset> {
  for await (const { key } of objects.list("datasets/")) {
    const [, name, version] = manifestKey.exec(key) ?? [];
    if (name === undefined || version === undefined) continue;
    const dataset = { name, version, prefix: objectKeys.dataset(name, version) };
    if (cursor === undefined || keyOfDataset(dataset) > cursor) yield dataset;
  }
}

function nextOf(next: string | undefined): { next?: string } {
  return next === undefined ? {} : { next };
}

/** Values that a spec may hold for others than its readers: variables of tasks and servers, keys among options. */
export function withoutSecrets(spec: RunSpec): unknown {
  const hidden = publicSpec(spec) as RunSpec;
  const agents = hidden.agents.map((agent) => hideKeys(agent));
  const { source } = hidden;
  const address = source?.baseUrl === undefined ? {} : { baseUrl: withoutQuery(source.baseUrl) };
  return {
    ...hidden,
    agents,
    ...(source === undefined ? {} : { source: { ...source, ...address } }),
  };
}

function withoutQuery(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`;
}

function hideKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      /key|token|secret|password|authorization/i.test(key) && typeof inner === "string"
        ? "(left out)"
        : hideKeys(inner),
    ]),
  );
}
