import type { EpisodeProblem, ProblemKind } from "@tracemill/core/reward-model/found.ts";
import type { CliContext } from "../../context.ts";

/** Says on stderr, at most once a second, how far a build is. */
export function stageProgress({ out, clock }: CliContext): (stage: string, episodes: number) => void {
  let saidAt = clock.now();
  return (stage, episodes) => {
    if (clock.now() - saidAt < 1_000) return;
    saidAt = clock.now();
    out.note(`${stage}: ${episodes} episodes`);
  };
}

interface Aside {
  duplicates: number;
  putAside: Partial<Record<ProblemKind, number>>;
  problems: readonly EpisodeProblem[];
}

/** What was left out, each kind with its first reason and place. */
export function putAsideLines({ duplicates, putAside, problems }: Aside): string[] {
  const replaced = duplicates === 0 ? [] : [`replaced by a later one of the same id: ${duplicates}`];
  const kinds = Object.entries(putAside).map(([kind, count]) => {
    const first = problems.find((problem) => problem.kind === kind);
    return `put aside: ${count} (${kind}${first === undefined ? "" : `; first: ${placeOf(first)}: ${first.reason}`})`;
  });
  return [...replaced, ...kinds];
}

function placeOf({ origin }: EpisodeProblem): string {
  if (origin.kind === "file") return `${origin.file}:${origin.line}`;
  if (origin.kind === "snapshot") return `solution ${origin.solutionId} of task ${origin.taskId}`;
  return origin.kind === "trial" ? `trial ${origin.trialId}` : `run ${origin.runId}`;
}
