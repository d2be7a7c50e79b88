/** An execution by what its name says: `<runId>-<n>`, where n counts the run's start and its resumes from 1. */
export interface RunExecution {
  runId: string;
  number: number;
}

/** `undefined` for names that no run has, such as those of a map's own executions. */
export function executionOf(name: string): RunExecution | undefined {
  const [, runId, number] = /^(run_[0-9A-Za-z]+)-(\d+)$/.exec(name) ?? [];
  return runId === undefined ? undefined : { runId, number: Number(number) };
}

/** Whether `name` is an execution of the same run that was started later. */
export function isNewer(name: string, than: RunExecution): boolean {
  const other = executionOf(name);
  return other?.runId === than.runId && other.number > than.number;
}
