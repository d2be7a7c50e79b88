import { exportStep } from "@tracemill/core/pipeline/handlers.ts";
import { duckdbParquet } from "@tracemill/local/duckdb-parquet.ts";
import { tempScratch } from "@tracemill/local/scratch.ts";
import { once } from "../once.ts";
import { stepHandler } from "../steps/step-handler.ts";

/** Where a function may write. */
const dir = "/tmp/tracemill";

const files = once(() => ({ parquet: duckdbParquet(dir), scratch: tempScratch(dir) }));

/** Writes the results and the dataset of a small run. Needs DuckDB's native library: packaged as an image. */
export const handler = stepHandler({ name: "export", work: exportStep }, { files });
