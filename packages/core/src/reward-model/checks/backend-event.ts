import type { EpisodeCheck, EpisodeStep } from "../episode.ts";
import { isFields } from "../read-recording.ts";
import { meets } from "./criteria.ts";
import { unknown, type Verdict } from "./verdict.ts";

/**
 * `backend_event:NAME` holds when the website's backend has said NAME at one of the steps, with a payload that meets
 * the criteria: `details.criteria` or `details.event_criteria`, or a `value` that is an object.
 */
export function recheckBackendEvent(
  wanted: string,
  check: EpisodeCheck,
  steps: readonly EpisodeStep[],
): Verdict {
  const criteria = [check.details.criteria, check.details.event_criteria, check.value].find(isFields) ?? {};
  const snapshots = steps.map(({ index, action_result: result }) => ({ index, ...result.browser_snapshot }));
  if (snapshots.every(({ backend_events: events }) => events === undefined))
    return unknown("no-events-recorded");
  const named = snapshots.flatMap(({ index, backend_events: events = [] }) =>
    events.filter(({ event_name: name }) => name === wanted).map(({ payload }) => ({ index, payload })),
  );
  for (const { index, payload } of named) {
    const isMet = meets(payload, criteria);
    if (isMet === undefined) return unknown("criteria-not-understood");
    if (isMet) return { verdict: "holds", step: index, evidence: `event ${wanted}` };
  }
  const evidence =
    named.length === 0 ? `no event ${wanted}` : `event ${wanted}, but no payload that meets the criteria`;
  return { verdict: "fails", evidence };
}
