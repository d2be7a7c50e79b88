import type { Clock, Random } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { ParquetEncoder } from "@tracemill/core/ports/parquet.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { Scratch } from "@tracemill/core/ports/scratch.ts";
import type { Config } from "./config.ts";
import type { Output } from "./output.ts";

/** The stores of one machine, under the home directory. */
export interface Home {
  dir: string;
  objects: ObjectStore;
  records: RecordStore;
  scratch: Scratch;
  parquet: ParquetEncoder;
  close(): Promise<void>;
}

/** What every command is given. */
export interface CliContext {
  config: Config;
  home: string;
  /** Opens the stores, making the home directory when it is missing. */
  openHome(): Promise<Home>;
  clock: Clock;
  random: Random;
  /** Aborted by the second Ctrl-C, or a termination. */
  signal: AbortSignal;
  /** Aborted by the first Ctrl-C: finish what is in flight, begin nothing new. */
  draining: AbortSignal;
  out: Output;
  /** What the process ends with when the command does not throw. */
  exitCode: number;
}
