import { agentRegistry } from "@tracemill/agents/registry.ts";
import type { QueueKind } from "@tracemill/aws/control/doctor/queues.ts";
import type { StackInfo } from "@tracemill/aws/stack.ts";
import { isTracemillError } from "@tracemill/core/errors.ts";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import { keysWanted } from "@tracemill/core/models/run-secrets.ts";
import type { TaskFolder } from "@tracemill/core/pipeline/deps.ts";
import { resolvePlan } from "@tracemill/core/pipeline/plan-run.ts";
import type { DoctorCheck } from "@tracemill/core/ports/sandbox.ts";
import { jobKindOf } from "@tracemill/core/run/job-kind.ts";
import type { FilledShard } from "@tracemill/core/run/plan.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { tasksHere } from "../dry-run.ts";

/** What a spec asks of a stage, found by resolving its plan over the tasks that are known now. */
export interface SpecNeeds {
  /** Kinds of job that it uses. */
  kinds: QueueKind[];
  secrets: string[];
  /** What the stage cannot give, and what deserves a word. */
  checks: DoctorCheck[];
  trials: number;
  shards: number;
}

/** The production API's token, as the deployment names its secret. */
const productionSecret = "PROD_API_TOKEN";

/** @throws TracemillError `invalid-spec` (an unknown agent), `not-found` (no such folder), `invalid-task`. */
export async function needsOf(spec: RunSpec, cloud: CloudHome, context: CliContext): Promise<SpecNeeds> {
  const agents = agentRegistry();
  for (const { name } of spec.agents) agents(name);
  const found = new Findings(spec, cloud.stack);
  // A source is ingested by the run itself: what it will give is not known, so the usual kinds are taken.
  const standIns = (): never[] => {
    found.assumeSandboxes();
    return [];
  };
  const tasks = tasksHere(spec, cloud, context, standIns, (folder) => found.addFolder(folder));
  const plan = await resolvePlan({ runId: "preflight", spec, agents, tasks }, async (filled) =>
    found.addShard(filled),
  );
  if (spec.source === undefined && plan.trials === 0) found.noTrials(plan.excludedBy);
  return {
    kinds: found.kinds(),
    secrets: secretsOf(spec),
    checks: [...found.checks, ...localPlaces(spec)],
    trials: plan.trials,
    shards: plan.shards.length,
  };
}

function secretsOf(spec: RunSpec): string[] {
  const keys = keysWanted(spec).map(({ key }) => key);
  return [...new Set([...(spec.source === undefined ? [] : [productionSecret]), ...keys])];
}

/** Collects what tasks and shards ask for, each complaint once. */
class Findings {
  readonly checks: DoctorCheck[] = [];
  readonly #kinds = new Set<QueueKind>(["step"]);
  readonly #said = new Set<string>();
  readonly #spec: RunSpec;
  readonly #stack: StackInfo;

  constructor(spec: RunSpec, stack: StackInfo) {
    this.#spec = spec;
    this.#stack = stack;
  }

  kinds(): QueueKind[] {
    return [...this.#kinds];
  }

  assumeSandboxes(): void {
    this.#kinds.add("container");
    this.#addKind(this.#spec.sandbox === "job" ? "sandbox" : "host");
  }

  addShard({ shard }: FilledShard): void {
    for (const stage of ["trace", "evaluate"] as const) {
      try {
        this.#addKind(jobKindOf(shard, stage, this.#spec));
      } catch (error) {
        if (!isTracemillError(error, "unsupported")) throw error;
        this.#complain("spec", error.message.replace(/^shard \S+: /, ""), "choose one of the two");
      }
    }
  }

  noTrials(excludedBy: Record<string, number>): void {
    const reasons = Object.entries(excludedBy).map(([reason, count]) => `${count} × ${reason}`);
    const why = reasons.length === 0 ? "no tasks" : reasons.join("; ");
    this.#complain("spec", `its plan has no trials: ${why}`, "see `tracemill run SPEC --dry-run`");
  }

  addFolder({ files, path }: TaskFolder): void {
    if (files.some((file) => file.path === "scenario.json")) return;
    const { environment } = readHarborTask(files, path).config;
    const kind = this.#spec.sandbox === "job" ? "sandbox" : "host";
    const size = this.#stack.sizes[kind];
    if (size === undefined) return;
    const { cpus, memory_mb: memory } = environment;
    if (cpus !== null && cpus > size.vcpus) this.#tooLarge(path, `${cpus} CPUs`, `${size.vcpus}`, kind);
    if (memory !== null && memory > size.memoryMiB)
      this.#tooLarge(path, `${memory} MiB of memory`, `${size.memoryMiB}`, kind);
  }

  #tooLarge(path: string, wanted: string, given: string, kind: string): void {
    const { stage } = this.#stack;
    this.#complain(
      `task ${path}`,
      `wants ${wanted}; a job of the kind \`${kind}\` has ${given}`,
      `raise its size in infra/stages/${stage}.yaml, then \`npx sst deploy --stage ${stage}\``,
    );
  }

  #addKind(kind: QueueKind): void {
    this.#kinds.add(kind);
    if (kind === "sandbox") this.#kinds.add("image");
    if (kind !== "gpu" || this.#stack.jobs.gpu !== undefined) return;
    const { stage } = this.#stack;
    this.#complain(
      "models",
      `the spec's \`models\` want a GPU, and stage ${stage} has none`,
      `give it GPUs in infra/stages/${stage}.yaml, then \`npx sst deploy --stage ${stage}\``,
    );
  }

  #complain(name: string, detail: string, remedy: string): void {
    const text = `${name}: ${detail}`;
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.checks.push({ name, status: "missing", detail, remedy });
  }
}

const loopback = /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|\/|$)/i;

/** Addresses that mean this machine: on AWS they would mean the job's own. */
function localPlaces({ source, agents }: RunSpec): DoctorCheck[] {
  const places: [string, unknown][] = [["source.baseUrl", source?.baseUrl]];
  for (const { name, model, options } of agents) {
    places.push([`agents.${name}.model`, model]);
    for (const [key, value] of Object.entries(options ?? {}))
      places.push([`agents.${name}.options.${key}`, value]);
  }
  return places.flatMap(([name, value]) =>
    typeof value === "string" && loopback.test(value)
      ? [
          {
            name,
            status: "warning" as const,
            detail: `${value} is this machine; on AWS it is the job itself`,
            remedy: "name an address that jobs can reach",
          },
        ]
      : [],
  );
}
