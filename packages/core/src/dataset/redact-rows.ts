import * as z from "zod";
import { createRedactor } from "../redact/create.ts";
import { RedactionPolicy } from "../redact/policy.ts";
import type { Redactor } from "../redact/redactor.ts";
import type { TableRow } from "./tables.ts";

const WithPolicy = z.looseObject({ redact: RedactionPolicy.optional() });

/** The redactor of a run's dataset: what was stored before a rule was there goes now. */
export function datasetRedactor(runSpec: unknown): Redactor {
  return createRedactor(WithPolicy.safeParse(runSpec).data?.redact);
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
