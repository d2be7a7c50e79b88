import { agentRegistry } from "@tracemill/agents/registry.ts";
import { clock, executions, log, objects, records } from "../deps.ts";
import { handlerOf } from "../edge.ts";
import { StartRunInput, startRun } from "../start-run/start-run.ts";

/** Starts a run of a stored spec when a snapshot is complete. */
export const handler = handlerOf("input of start-run", StartRunInput, async (input) =>
  startRun(input, {
    objects: objects(),
    records: records(),
    agents: agentRegistry(),
    clock,
    executions: await executions(),
    log: log(),
  }),
);
