import type { StoreCalls } from "@tracemill/core/cost/trial-work.ts";
import { Rate } from "./rates.ts";

/** Requests to the stores, by second. */
export class StoreMeters {
  readonly puts = new Rate();
  readonly gets = new Rate();
  /** Of the run's own partition of the table. */
  readonly rowUnits = new Rate();
  readonly indexUnits = new Rate();
  readonly readUnits = new Rate();
  /** Shards' rows written: each sets off the function that sums them. */
  readonly reports = new Rate();
  logBytes = 0;

  add(second: number, calls: Partial<StoreCalls>, share = 1): void {
    const { objectPuts = 0, objectGets = 0, rowReads = 0, writeUnits = 0, indexUnits = 0 } = calls;
    if (objectPuts > 0) this.puts.add(second, objectPuts * share);
    if (objectGets > 0) this.gets.add(second, objectGets * share);
    if (rowReads > 0) this.readUnits.add(second, rowReads * share);
    if (writeUnits > 0) this.rowUnits.add(second, writeUnits * share);
    if (indexUnits > 0) this.indexUnits.add(second, indexUnits * share);
  }
}
