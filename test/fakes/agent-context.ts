import type { AgentContext } from "@tracemill/core/ports/agent.ts";
import { fakeClock } from "./clock.ts";
import { noModels } from "./no-models.ts";
import { answerTask } from "./trial-world.ts";
import { wordRedactor } from "./word-redactor.ts";

/** A context with everything that a test of an agent does not care about. */
export function agentContext(parts: Partial<AgentContext> = {}): AgentContext {
  return {
    agent: { name: "test" },
    task: { kind: "harbor", harbor: answerTask },
    signal: new AbortController().signal,
    models: noModels,
    budget: { admit: () => undefined, spend: () => undefined, reached: undefined },
    redactor: wordRedactor("never there"),
    env: {},
    clock: fakeClock(),
    record: () => undefined,
    keepTrajectory: () => undefined,
    ...parts,
  };
}
