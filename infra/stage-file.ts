import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { parse } from "yaml";
import { Settings } from "./settings.ts";

/** A stage as constructs see it. */
export interface Stage {
  name: string;
  settings: Settings;
  /** Whether data outlives the stage. */
  retain: boolean;
  /** The repository's root: sources of functions and images. */
  root: string;
}

/** Names end up in those of queues, functions and images, the longest of which leave 20 characters. */
const stageName = /^[a-z][a-z0-9-]{0,19}$/;

/**
 * The settings of a stage: `infra/stages/<name>.yaml` below `root`, else the defaults.
 * @throws TracemillError `invalid-input`, naming the file and the setting.
 */
export function loadStage(name: string, root: string): Stage {
  if (!stageName.test(name)) {
    throw new TracemillError(
      "invalid-input",
      `stage ${JSON.stringify(name)}: wants lower-case letters, digits and dashes, 20 at most, a letter first`,
    );
  }
  const file = `infra/stages/${name}.yaml`;
  const path = join(root, file);
  const settings = parseAs(Settings, existsSync(path) ? (parse(readFileSync(path, "utf8")) ?? {}) : {}, file);
  assertWhole(settings, file);
  return { name, settings, retain: settings.retain ?? name === "prod", root };
}

function assertWhole({ source, schedule, startRun, compute }: Settings, file: string): void {
  if (source === undefined && (schedule ?? startRun) !== undefined) {
    const lonely = schedule === undefined ? "startRun" : "schedule";
    throw new TracemillError("invalid-input", `${file}: \`${lonely}\` wants a \`source\` to mirror`);
  }
  if (compute.container.arm !== compute.host.arm) {
    const words = "have to be the same: hosts build the images that containers run";
    throw new TracemillError(
      "invalid-input",
      `${file}: \`compute.container.arm\` and \`compute.host.arm\` ${words}`,
    );
  }
}

/** What a stage's things are called, where a fixed name lets parts find each other. */
export function nameOf({ name }: Pick<Stage, "name">, part?: string): string {
  return part === undefined ? `tracemill-${name}` : `tracemill-${name}-${part}`;
}
