/** What the functions need of AWS beyond the ports of core. Bound in `deps.ts`, played by fakes in tests. */

export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface RunningExecution {
  arn: string;
  name: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
}

export interface Executions {
  /** Starts it once: the same name with the same input again does nothing. */
  start(execution: { name: string; input: unknown }): Promise<void>;
  /** Silent when it has ended. */
  stop(arn: string, cause: string): Promise<void>;
  /** Those of the stage's state machine that have not ended, newest first. */
  running(): AsyncIterable<RunningExecution>;
  /** Why an execution ended, where it says so. */
  causeOf(arn: string): Promise<string | undefined>;
}

/** A Batch job that has not ended. */
export interface LiveJob {
  jobId: string;
  /** The execution that submitted it, from its parameters. */
  execution: string | undefined;
}

export interface Jobs {
  /** Jobs of a queue that have not ended and whose name begins with `namePrefix`. */
  live(search: { queue: string; namePrefix: string }): AsyncIterable<LiveJob>;
  /** Silent when it has ended. */
  terminate(jobId: string, reason: string): Promise<void>;
}

export interface TaskImages {
  /** Of these environments, those that have no image, or no job definition that uses it. */
  missing(environments: readonly string[]): Promise<string[]>;
}

export interface JobLogs {
  /** The last lines of a job's log, oldest first; none when there is no such stream. */
  tail(logStream: string, lines: number): Promise<string[]>;
}

export interface Events {
  /** @param detail JSON; receivers get it at least once. */
  publish(event: { type: "SnapshotCompleted"; detail: Record<string, unknown> }): Promise<void>;
}

export interface MetricPoint {
  name: "Attempts" | "TrialsEnded" | "CostUsd" | "Tokens" | "FailedShards";
  unit: "Count" | "None";
  value: number;
  /** Besides the stage's name. */
  dimensions?: Record<string, string>;
}

/** Numbers that CloudWatch adds up over all runs of a stage. */
export type Metrics = (points: readonly MetricPoint[]) => void;
