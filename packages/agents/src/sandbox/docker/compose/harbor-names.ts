import { join } from "node:path";
import * as z from "zod";

/** Where Harbor's older tasks mount their logs from; here they stay in the container. */
const logKinds = { VERIFIER_LOGS: "verifier", AGENT_LOGS: "agent", ARTIFACTS: "artifacts" };

export interface HarborPlaces {
  /** The unpacked environment folder. */
  context: string;
  /** A folder for logs, that need not be there. */
  logs: string;
  builtImage?: string | undefined;
  image?: string | undefined;
  cpus?: number | undefined;
  memoryBytes?: number | undefined;
}

/** The variables that Harbor 0.24 gives compose files (`environments/docker/compose_env.py`). */
export function harborVariables(places: HarborPlaces): Record<string, string> {
  const { context, logs, builtImage, image, cpus, memoryBytes } = places;
  const variables = {
    CONTEXT_DIR: context,
    MAIN_IMAGE_NAME: builtImage,
    PREBUILT_IMAGE_NAME: image,
    CPUS: cpus === undefined ? undefined : String(cpus),
    MEMORY: memoryBytes === undefined ? undefined : `${Math.floor(memoryBytes / 1024 ** 2)}M`,
    ...Object.fromEntries(
      Object.entries(logKinds).flatMap(([kind, folder]) => [
        [`HOST_${kind}_PATH`, join(logs, folder)],
        [`ENV_${kind}_PATH`, `/logs/${folder}`],
      ]),
    ),
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

const Mounting = z.looseObject({
  services: z.record(z.string(), z.looseObject({ volumes: z.array(z.looseObject({})).nullish() })),
});

/** A project in its long form without the mounts of `HOST_…_PATH`: what is written there is read from the container. */
export function withoutLogMounts(project: unknown, logs: string): unknown {
  const parsed = Mounting.safeParse(project);
  if (!parsed.success) return project;
  for (const service of Object.values(parsed.data.services)) {
    service.volumes = service.volumes?.filter(({ source }) => !isBelow(source, logs)) ?? [];
  }
  return parsed.data;
}

function isBelow(source: unknown, dir: string): boolean {
  return typeof source === "string" && source.startsWith(`${dir}/`);
}
