import * as z from "zod";
import { variablesOfRun } from "../models/run-secrets.ts";
import { createRedactor } from "../redact/create.ts";
import { RedactionPolicy } from "../redact/policy.ts";
import type { Redactor } from "../redact/redactor.ts";
import type { TableRow } from "./tables.ts";

const Variables = z.record(z.string(), z.string()).optional();
const WithPolicy = z.looseObject({ redact: RedactionPolicy.optional() });
const WithVariables = z.looseObject({
  env: Variables,
  models: z.record(z.string(), z.looseObject({ env: Variables })).optional(),
});

/** The redactor of a run's dataset: what was stored before a rule was there, or a secret was known, goes now. */
export function datasetRedactor(runSpec: unknown): Redactor {
  const known = variablesOfRun(WithVariables.safeParse(runSpec).data ?? {});
  return createRedactor(WithPolicy.safeParse(runSpec).data?.redact, known);
}

/** Rows without secrets; those that have none are the same objects. */
export async function* redactedRows(
  rows: AsyncIterable<TableRow>,
  redactor: Pick<Redactor, "json">,
): AsyncGenerator<TableRow> {
  for await (const each of rows) {
    const row = redactor.json(each.row);
    yield row === each.row ? each : { ...each, row };
  }
}
