import type { ModelAccessOptions } from "@tracemill/agents/models/access.ts";
import type { Command } from "commander";
import { noModelKeys } from "../../models.ts";
import { readSpecFile } from "../../spec-file.ts";

export interface SpecOption {
  spec?: string;
}

/** Adds the flag that names where `providers` and `prices` are said. */
export function withSpec(command: Command): Command {
  return command.option("--spec <file>", "a run's spec, for its `providers` and `prices`");
}

/** What the spec says of models; without one, nothing. @throws TracemillError `invalid-spec`. */
export async function modelKeysOf({ spec }: SpecOption): Promise<ModelAccessOptions> {
  if (spec === undefined) return noModelKeys;
  const { providers, prices } = await readSpecFile(spec);
  return { ...noModelKeys, providers, prices };
}
