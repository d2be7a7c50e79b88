import { parseTrajectory, type Step, type Trajectory } from "../../atif/trajectory.ts";
import { messageOf } from "../../errors.ts";
import { parseShallow } from "../../ingest/body/limits.ts";

/**
 * Harbor keeps a trial's trajectory in several files: the agent's own, its continuations (`continued_trajectory_ref`)
 * and its subagents'. Here they are one document: the last of the chain, which holds what the agent last knew, with
 * the others among its `subagent_trajectories` under ids that begin with `file:`. `splitTrajectory` gives the files
 * back.
 */

const filePrefix = "file:";

/** A trajectory file, below the agent's folder. */
export interface TrajectoryFile {
  /** `trajectory.json`, `trajectory.cont-1.json`, `trajectory.summarization-1-summary.json`, … */
  name: string;
  bytes: Uint8Array;
}

export interface JoinedTrajectory {
  trajectory?: Trajectory;
  /** Files that are no trajectories, with the reason. */
  problems: string[];
}

/** Whether a file of an agent's folder is one of its trajectories. */
export function isTrajectoryFile(name: string): boolean {
  return /^trajectory(\.[^/]+)?\.json$/.test(name);
}

/** One document of a trial's trajectory files. Nothing without a `trajectory.json` that can be read. */
export function joinTrajectories(files: readonly TrajectoryFile[]): JoinedTrajectory {
  const problems: string[] = [];
  const read = new Map<string, Trajectory>();
  for (const { name, bytes } of files) {
    try {
      read.set(name, parseTrajectory(parseShallow(Buffer.from(bytes).toString("utf8")), name));
    } catch (error) {
      problems.push(
        error instanceof SyntaxError ? `${name}: not whole JSON (${messageOf(error)})` : messageOf(error),
      );
    }
  }
  const last = lastOfChain(read);
  const main = read.get(last ?? "");
  if (last === undefined || main === undefined) return { problems };
  read.delete(last);
  return { trajectory: embedded(last, main, read), problems };
}

/** The file that ends the chain of continuations. */
function lastOfChain(read: ReadonlyMap<string, Trajectory>): string | undefined {
  const passed = new Set<string>();
  let name = "trajectory.json";
  if (!read.has(name)) return undefined;
  for (;;) {
    passed.add(name);
    const next = read.get(name)?.continued_trajectory_ref;
    if (next === undefined || !read.has(next) || passed.has(next)) return name;
    name = next;
  }
}

function embedded(name: string, main: Trajectory, others: ReadonlyMap<string, Trajectory>): Trajectory {
  if (others.size === 0 && name === "trajectory.json") return main;
  const files = [...others].map(([file, trajectory]) => ({
    ...trajectory,
    trajectory_id: `${filePrefix}${file}`,
    ...(trajectory.trajectory_id === undefined
      ? {}
      : { extra: { ...trajectory.extra, harbor_trajectory_id: trajectory.trajectory_id } }),
  }));
  return {
    ...main,
    subagent_trajectories: [...(main.subagent_trajectories ?? []), ...files],
    extra: { ...main.extra, harbor_file: name },
  };
}

/** The files of a trajectory, by name: `trajectory.json` alone, unless `joinTrajectories` made it of several. */
export function splitTrajectory(trajectory: Trajectory): Record<string, Trajectory> {
  const file = trajectory.extra?.harbor_file;
  if (typeof file !== "string" || !isTrajectoryFile(file)) return { "trajectory.json": trajectory };
  const subagents = trajectory.subagent_trajectories ?? [];
  const own = subagents.filter((each) => fileOf(each) === undefined);
  const { subagent_trajectories: _, ...main } = withoutExtra(trajectory, "harbor_file");
  const files: Record<string, Trajectory> = {
    [file]: own.length === 0 ? main : { ...main, subagent_trajectories: own },
  };
  for (const each of subagents) {
    const name = fileOf(each);
    if (name !== undefined) files[name] = restored(each);
  }
  return files;
}

function fileOf({ trajectory_id: id }: Trajectory): string | undefined {
  const name = id?.startsWith(filePrefix) === true ? id.slice(filePrefix.length) : "";
  return isTrajectoryFile(name) ? name : undefined;
}

function restored(trajectory: Trajectory): Trajectory {
  const { trajectory_id: _, ...rest } = trajectory;
  const original = trajectory.extra?.harbor_trajectory_id;
  if (typeof original !== "string") return rest;
  return { ...withoutExtra(rest, "harbor_trajectory_id"), trajectory_id: original };
}

function withoutExtra(trajectory: Trajectory, key: string): Trajectory {
  const { extra: { [key]: _, ...extra } = {}, ...rest } = trajectory;
  return Object.keys(extra).length === 0 ? rest : { ...rest, extra };
}

/**
 * The trajectories of a multi-step trial as one: the steps of all, numbered through. `extra.harbor_steps` says where
 * each task step begins. Totals are left out: agents start counting anew with each task step, or do not.
 */
export function chainSteps(
  parts: readonly { name: string; trajectory: Trajectory }[],
): Trajectory | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const steps: Step[] = [];
  const begins: { name: string; first_step_id: number }[] = [];
  const subagents: Trajectory[] = [];
  for (const { name, trajectory } of parts) {
    begins.push({ name, first_step_id: steps.length + 1 });
    for (const step of trajectory.steps) steps.push({ ...step, step_id: steps.length + 1 });
    for (const each of trajectory.subagent_trajectories ?? [])
      subagents.push({ ...each, trajectory_id: `${name}/${each.trajectory_id}` });
  }
  const { schema_version, agent, session_id } = first.trajectory;
  return {
    schema_version,
    ...(session_id === undefined ? {} : { session_id }),
    agent,
    steps,
    ...(subagents.length === 0 ? {} : { subagent_trajectories: subagents }),
    extra: { harbor_steps: begins },
  };
}
