import { agentRegistry } from "@tracemill/agents/registry.ts";
import { planStep } from "@tracemill/core/pipeline/handlers.ts";
import { stepHandler } from "../steps/step-handler.ts";

/** Resolves a run's tasks, agents and attempts into shards. */
export const handler = stepHandler({ name: "plan", work: planStep }, { agents: agentRegistry });
