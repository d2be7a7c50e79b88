import { chooseSandbox } from "@tracemill/agents/sandbox/choose.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { SandboxName } from "@tracemill/core/run/spec.ts";
import { Option } from "commander";
import type { CliContext } from "./context.ts";

/** Which sandbox a spec gets. The first of these that says something counts: command line, spec, what is left. */
export interface SandboxChoice {
  /** From the command line. */
  asked?: SandboxName | undefined;
  /** Asked only when nothing else says it. */
  otherwise(): Promise<SandboxName>;
}

/** `--sandbox NAME`. */
export function sandboxOption(): Option {
  return new Option("--sandbox <name>", "where commands run, whatever the spec says").choices(
    SandboxName.options,
  );
}

/** On this machine: TRACEMILL_SANDBOX, else the strongest that is here. */
export function choiceHere(
  asked: SandboxName | undefined,
  { config }: Pick<CliContext, "config">,
): SandboxChoice {
  const otherwise = async (): Promise<SandboxName> =>
    config.sandbox === undefined ? chooseSandbox(config.dockerHost) : named(config.sandbox);
  return { asked, otherwise };
}

/** On AWS this machine has no say. */
export function choiceOnAws(asked?: SandboxName): SandboxChoice {
  return { asked, otherwise: async () => "namespace" };
}

function named(name: string): SandboxName {
  const found = SandboxName.safeParse(name);
  if (found.success) return found.data;
  throw new TracemillError(
    "invalid-input",
    `TRACEMILL_SANDBOX=${name}: there is no such sandbox; it takes ${SandboxName.options.join(", ")}`,
  );
}
