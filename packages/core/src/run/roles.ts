import { TracemillError } from "../errors.ts";
import { parseModelRef } from "../models/model-ref.ts";
import { providerNames } from "../models/providers.ts";
import type { AgentRegistry } from "../ports/agent.ts";
import { type RunSpec, requireDifferent } from "./spec.ts";
import type { AgentRef } from "./trial.ts";

/** Models from the command line, which go before the spec's. */
export interface ModelFlags {
  /** For every agent that takes a model, in place of its own. */
  model?: string | undefined;
  judge?: string | undefined;
}

/**
 * Gives each agent that takes a model the one it has to have: the command line's, its own, the policy's. Done once, when
 * a run is made of a spec: what is stored says which model works.
 * @throws TracemillError `invalid-spec` for an agent that is unknown, a model for one that takes none, a judge that no
 * provider has, and for two agents that are then alike.
 */
export function resolveRoles(spec: RunSpec, agents: AgentRegistry, flags: ModelFlags = {}): RunSpec {
  const roles = {
    ...spec.roles,
    ...(flags.model === undefined ? {} : { policy: flags.model }),
    ...(flags.judge === undefined ? {} : { judge: flags.judge }),
  };
  const withModel = (agent: AgentRef): AgentRef => {
    if (agents(agent.name).takesModel !== true) return withoutModel(agent);
    const model = flags.model ?? agent.model ?? roles.policy;
    return model === undefined ? agent : { ...agent, model };
  };
  const resolved = spec.agents.map(withModel);
  if (flags.model !== undefined && resolved.every((agent) => agent.model === undefined)) {
    throw new TracemillError("invalid-spec", "--model is given, and no agent of the spec takes a model");
  }
  if (roles.judge !== undefined) parseModelRef(roles.judge, providerNames(spec.providers));
  requireDifferent(resolved, flags.model === undefined ? "the spec" : "with --model");
  return { ...spec, roles, agents: resolved };
}

/** Results would be told by a model that did no work. */
function withoutModel(agent: AgentRef): AgentRef {
  if (agent.model === undefined) return agent;
  throw new TracemillError(
    "invalid-spec",
    `agents: ${agent.name} asks no model; leave out \`model: ${agent.model}\``,
  );
}
