import { join } from "node:path";

/** Where the sandboxes and caches of a home are. */
export function homeFolders(home: string) {
  const layers = join(home, "cache", "layers");
  return {
    /** Of running sandboxes, one folder each. */
    sandboxes: join(home, "sandboxes"),
    /** The namespace sandbox's built environments. */
    layers,
    /** Environments in the making. */
    building: join(layers, "building"),
    /** Programs of agents, installed from npm. */
    agents: join(home, "cache", "agents"),
    /** Temporary files. */
    scratch: join(home, "tmp"),
  };
}
