import { TracemillError } from "@tracemill/core/errors.ts";
import type { Agent, AgentRegistry } from "@tracemill/core/ports/agent.ts";
import { suggestion } from "@tracemill/core/validation.ts";
import { type CliAgentDeps, cliAgents } from "./cli-agents/agents.ts";
import { nop } from "./nop.ts";
import { oracle } from "./oracle.ts";
import { recorded } from "./recorded.ts";
import { replay } from "./replay/agent.ts";
import { terminus } from "./terminus/agent.ts";
import { toolsAgent } from "./tools-agent.ts";

/** For processes that look at specs and run no agents. */
const noPrograms: CliAgentDeps = {
  installLayer: () => Promise.reject(new TracemillError("unsupported", "no agents are run here")),
  capture: () => Promise.reject(new TracemillError("unsupported", "no agents are run here")),
};

/** @param programs where agents for the command line are installed, and what captures them. */
export function builtInAgents(programs: CliAgentDeps = noPrograms): readonly Agent[] {
  return [oracle, nop, replay, recorded, toolsAgent, terminus, ...cliAgents(programs)];
}

/** Finds an agent by its name in a spec. */
export function agentRegistry(agents: readonly Agent[] = builtInAgents()): AgentRegistry {
  const byName = new Map(agents.map((agent) => [agent.name, agent]));
  return (name) => {
    const agent = byName.get(name);
    if (agent !== undefined) return agent;
    const names = [...byName.keys()];
    const near = suggestion(name, names);
    const hint = near === undefined ? `known: ${names.join(", ")}` : `did you mean \`${near}\`?`;
    throw new TracemillError("invalid-spec", `agents: no agent is called \`${name}\` (${hint})`);
  };
}
