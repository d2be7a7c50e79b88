import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { isImported } from "@tracemill/core/harbor/jobs/import-job.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { findRun } from "@tracemill/core/run/runs.ts";
import type { Home } from "./context.ts";

/**
 * The run that a command line names, as `findRun` finds it.
 * @throws TracemillError `not-found`, with the command that goes on from there in this home, and as `findRun`.
 */
export async function chosenRun(
  reference: string,
  home: Pick<Home, "records" | "flags">,
): Promise<RunRecord> {
  try {
    return await findRun(reference, home.records);
  } catch (error) {
    if (!isTracemillError(error, "not-found")) throw error;
    throw new TracemillError("not-found", reference === "latest" ? noRuns(home) : notOne(reference, home), {
      cause: error,
    });
  }
}

/** What is said of a home without a run. */
export function noRuns({ flags }: Pick<Home, "flags">): string {
  return `no runs yet; try: ${flags === "" ? "tracemill demo" : `tracemill run SPEC${flags}`}`;
}

function notOne(reference: string, { flags }: Pick<Home, "flags">): string {
  return `no run ${reference} here; \`tracemill runs${flags}\` lists them`;
}

/** What another system ran, it alone can go on with. @throws TracemillError `unsupported`. */
export async function requireOwn({ runId }: RunRecord, records: Home["records"]): Promise<void> {
  if (!(await isImported(runId, records))) return;
  throw new TracemillError(
    "unsupported",
    `${runId} was imported from Harbor: go on with the job there (\`harbor job resume\`), then import it again`,
  );
}
