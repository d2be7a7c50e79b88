/**
 * What to do about a run that was stopped. One that has used up what all of it may use would stop again at once.
 * @param command what goes on with it.
 */
export function goOnWords(reason: string, command: string): string {
  return /`limits\.run\.(?:tokens|costUsd)`/.test(reason)
    ? "all that the run may use is used, by the spec that it is stored with: for the rest, begin a new run with a higher `limits.run`"
    : `go on with: ${command}`;
}
