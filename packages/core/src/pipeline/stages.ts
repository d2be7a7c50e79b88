/**
 * The pipeline, declared once. A driver walks this list in order: the local one in `@tracemill/local`, and on
 * AWS a state machine synthesized from it, whose states carry the same names.
 */
export interface Stage {
  name: string;
  /** `step`: once a run. `fan-out`: once for each shard of the plan; consecutive ones chain within a shard. */
  kind: "step" | "fan-out";
  /** What it needs: a short function, a container, or a GPU when its shard names a model to serve. */
  compute: "function" | "container" | "gpu";
  /** For people who watch a run. */
  title: string;
}

export const stages = [
  { name: "ingest", kind: "step", compute: "function", title: "mirror the source" },
  { name: "prepare", kind: "step", compute: "function", title: "turn rows and folders into tasks" },
  { name: "plan", kind: "step", compute: "function", title: "resolve tasks × agents × attempts" },
  { name: "trace", kind: "fan-out", compute: "gpu", title: "run the agents" },
  { name: "evaluate", kind: "fan-out", compute: "container", title: "verify in fresh sandboxes" },
  { name: "export", kind: "step", compute: "container", title: "write results and dataset" },
] as const satisfies readonly Stage[];

export type StageName = (typeof stages)[number]["name"];
export type StepName = Extract<(typeof stages)[number], { kind: "step" }>["name"];
export type FanOutName = Extract<(typeof stages)[number], { kind: "fan-out" }>["name"];

/** What a driver walks: a step, or a chain of fan-outs that each shard passes through. */
export type Leg = { kind: "step"; name: StepName } | { kind: "fan-out"; names: FanOutName[] };

/** The stages with consecutive fan-outs joined. */
export function legs(): Leg[] {
  const joined: Leg[] = [];
  for (const stage of stages) {
    const last = joined.at(-1);
    if (stage.kind === "step") joined.push({ kind: "step", name: stage.name });
    else if (last?.kind === "fan-out") last.names.push(stage.name);
    else joined.push({ kind: "fan-out", names: [stage.name] });
  }
  return joined;
}
