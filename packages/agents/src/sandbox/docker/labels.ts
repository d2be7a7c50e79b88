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

/** On volumes: the id of the layer that one holds, or names the holder of. */
export const layerLabel = "dev.tracemill.layer";
/** On a volume that is named after a layer: the name of the one that holds it. */
export const contentLabel = "dev.tracemill.layer-content";
/** On a volume that holds a layer, or will once it is filled: the id of the process that fills it. */
export const fillerLabel = "dev.tracemill.layer-filler";
