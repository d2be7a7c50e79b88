/** Labels on everything that we make in an engine. */
export const ownerLabel = "dev.tracemill.owner";
/** What it is for, as messages name it: the trial. */
export const nameLabel = "dev.tracemill.label";
/** On images: the hash of the environment that they were built from. */
export const environmentLabel = "dev.tracemill.environment";

/** @param owner the id of the process that made it, as `Owner` has it. */
export function labelsOf(owner: string, label: string): Record<string, string> {
  return { [ownerLabel]: owner, [nameLabel]: label.slice(0, 200) };
}
