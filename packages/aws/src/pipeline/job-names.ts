/** Batch: at most 128 letters, digits, dashes and underscores. What is not unique in them is only for people. */
export function jobName(parts: readonly string[]): string {
  return ["tm", ...parts]
    .join("-")
    .replaceAll(/[^\w-]/g, "_")
    .slice(0, 128);
}

/** What the names of a run's jobs, or of those of one of its shards, begin with. */
export function jobNamePrefix(runId: string, target?: string): string {
  return `${jobName(target === undefined ? [runId] : [runId, target])}-`;
}
