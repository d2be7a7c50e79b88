import type { Episode, EpisodeCheck, EpisodeStep } from "../episode.ts";
import { recheckBackendEvent } from "./backend-event.ts";
import { recheckDom } from "./dom.ts";
import { type Recheck, unknown, type Verdict } from "./verdict.ts";

/**
 * Decides the checks of an episode again from what was recorded: those of the episode over all of its steps, those of
 * a step over that step alone.
 */
export function recheckEpisode({ checks = [], steps }: Episode): Recheck[] {
  const ofEpisode = checks.map((check) => recheck(check, steps));
  const ofSteps = steps.flatMap((step) =>
    step.tests.map((check) => ({ ...recheck(check, [step]), step: step.index })),
  );
  return [...ofEpisode, ...ofSteps];
}

function recheck(check: EpisodeCheck, steps: readonly EpisodeStep[]): Recheck {
  const { name, passed } = check;
  const found = verdictOf(check, steps);
  return { name, ...(passed === undefined ? {} : { claimed: passed }), found };
}

function verdictOf(check: EpisodeCheck, steps: readonly EpisodeStep[]): Verdict {
  const [, kind, name = ""] = /^(backend_event|dom):(.+)$/.exec(check.name) ?? [];
  if (kind === "backend_event") return recheckBackendEvent(name, check, steps);
  if (kind === "dom") return recheckDom(name, check, steps);
  return unknown("not-a-known-kind");
}
