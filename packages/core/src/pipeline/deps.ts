import type { TaskFile } from "../harbor/task-files.ts";
import type { Random } from "../ports/clock.ts";
import type { ParquetEncoder } from "../ports/parquet.ts";
import type { TrialDeps, TrialEvent } from "../trial/deps.ts";
import type { StageName } from "./stages.ts";

export type PipelineEvent =
  | TrialEvent
  | { type: "stage-started"; stage: StageName }
  | { type: "stage-ended"; stage: StageName; output: Record<string, unknown>; again: boolean }
  | { type: "planned"; tasks: number; trials: number; excluded: number; shards: number }
  /** Something failed that is no attempt's outcome: what is in flight is finished, then the run stops. */
  | { type: "stopping"; reason: string }
  | { type: "progress"; stage: StageName; done: number; unit: string };

/** A folder of a Harbor task, read. */
export interface TaskFolder {
  path: string;
  files: TaskFile[];
}

/** Everything that the stages of a run need. */
export interface PipelineDeps extends Omit<TrialDeps, "onEvent"> {
  random: Random;
  parquet: ParquetEncoder;
  fetch: typeof globalThis.fetch;
  /** The production API; the token is a secret. Absent: no `source` can be ingested. */
  production?: { baseUrl: string; token: string };
  /** Task folders at or below a path. @throws TracemillError `not-found`, `invalid-task`. */
  taskFolders(path: string): AsyncIterable<TaskFolder>;
  /** Runs work with the run's concurrency: at most that many at once in this process. */
  limit<T>(work: () => Promise<T>): Promise<T>;
  onEvent(event: PipelineEvent): void;
}
