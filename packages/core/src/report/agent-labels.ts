import { canonicalJson } from "../run/spec.ts";
import type { AgentRef } from "../run/trial.ts";

/** `NAME`, or `NAME/MODEL`. */
export function agentKey({ name, model }: Pick<AgentRef, "name" | "model">): string {
  return model === undefined ? name : `${name}/${model}`;
}

/**
 * What a run's agents are called in its report: `NAME` or `NAME/MODEL`, and where two of the spec's agents share that,
 * with the options that tell them apart: `tools/qwen {"temperature":0.7}`.
 */
export function agentLabels(agents: readonly AgentRef[]): (agent: AgentRef) => string {
  const shared = new Set<string>();
  const seen = new Set<string>();
  for (const key of agents.map(agentKey)) (seen.has(key) ? shared : seen).add(key);
  return (agent) => {
    const key = agentKey(agent);
    if (!shared.has(key)) return key;
    const options = distinct(
      agent,
      agents.filter((other) => agentKey(other) === key),
    );
    return Object.keys(options).length === 0 ? key : `${key} ${canonicalJson(options)}`;
  };
}

/** The options of an agent that not all of `others` have alike. */
function distinct(agent: AgentRef, others: readonly AgentRef[]): Record<string, unknown> {
  const same = (value: unknown, other: unknown): boolean =>
    canonicalJson(value ?? null) === canonicalJson(other ?? null);
  return Object.fromEntries(
    Object.entries(agent.options ?? {}).filter(
      ([name, value]) => !others.every(({ options }) => same(value, options?.[name])),
    ),
  );
}
