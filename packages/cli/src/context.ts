import type { StageChecks } from "@tracemill/aws/control/doctor/stage-checks.ts";
import type { Executions } from "@tracemill/aws/control/executions.ts";
import type { Jobs } from "@tracemill/aws/control/jobs.ts";
import type { Logs } from "@tracemill/aws/control/logs.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import type { Clock, Random } from "@tracemill/core/ports/clock.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import type { ParquetEncoder } from "@tracemill/core/ports/parquet.ts";
import type { RecordStore } from "@tracemill/core/ports/record-store.ts";
import type { Scratch } from "@tracemill/core/ports/scratch.ts";
import type { Config } from "./config.ts";
import type { InterruptWords } from "./interrupts.ts";
import type { Output } from "./output.ts";

/** Where runs live: their stores, and what to call what is in them. */
export interface Home {
  /** An object, as its user would name it: a path, or an `s3://` address. */
  locate(key: string): string;
  /** The flags that name this home in a command line, for hints: empty, or ` --on aws --stage dev`. */
  flags: string;
  objects: ObjectStore;
  records: RecordStore;
  scratch: Scratch;
  parquet: ParquetEncoder;
  close(): Promise<void>;
}

/** The stores of one machine, under the home directory. */
export interface LocalHome extends Home {
  dir: string;
}

/** A stage deployed in an AWS account. */
export interface CloudHome extends Home {
  stack: StackInfo;
  executions: Executions;
  jobs: Jobs;
  logs: Logs;
  checks: StageChecks;
}

/** Which deployed stage. */
export interface Place {
  stage: string;
  /** Default: as the AWS SDK finds it. */
  region?: string;
}

/** What every command is given. */
export interface CliContext {
  config: Config;
  home: string;
  /** Opens the stores, making the home directory when it is missing. */
  openHome(): Promise<LocalHome>;
  /**
   * Looks a deployed stage up. Loads the AWS SDK, so that commands of one machine start without it.
   * @throws TracemillError `not-found` (not deployed), `unauthorized`, `store-newer`.
   */
  openCloud(place: Place): Promise<CloudHome>;
  clock: Clock;
  random: Random;
  /** Aborted by the second Ctrl-C, or a termination. */
  signal: AbortSignal;
  /** Aborted by the first Ctrl-C: finish what is in flight, begin nothing new. */
  draining: AbortSignal;
  /** What the first Ctrl-C is to say. */
  interruptWords?: InterruptWords;
  out: Output;
  /** What the process ends with when the command does not throw. */
  exitCode: number;
}
