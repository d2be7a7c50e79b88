import type { Row } from "../dataset/json-row.ts";
import { type Episode, type EpisodeStep, isSuccess, stepId } from "./episode.ts";
import { type Movement, movements } from "./iwa/observation.ts";
import { firstCodePoints, urlTokens } from "./iwa/python-text.ts";
import type { LabelOutcome } from "./labels/label.ts";
import { type PageContent, pageContent } from "./page.ts";

/** Characters of a page's text, and of a tool's answer, that an observation holds. */
export const excerptLength = 3_000;

/** What a row of any table says of its episode. */
export function episodeKeys(episode: Episode, group: string) {
  const { episode_id, task_id = null, project_id = null } = episode;
  return { episode_id, task_id, project_id, group };
}

export interface StepRows {
  rid: string;
  observation: Row;
  features: Row;
}

/** The rows of the tables `observations` and `steps` for each step of an episode. */
export function* stepRowsOf(
  episode: Episode,
  group: string,
  labels: readonly LabelOutcome[] | undefined,
): Generator<StepRows> {
  const moves = movements(episode);
  const keys = episodeKeys(episode, group);
  let eventsBefore = 0;
  for (const [at, step] of episode.steps.entries()) {
    const rid = stepId(episode.episode_id, step);
    const page = pageContent(step.action_result.browser_snapshot.current_html);
    const place = { rid, ...keys, step_index: step.index };
    const move = moves[at] ?? { urlChanged: true, stagnation: 0 };
    yield {
      rid,
      observation: { ...place, ...observationOf(step, page, move), ...labelColumns(labels?.[at]) },
      features: {
        ...place,
        ...featuresOf(step, page, eventsBefore),
        y_success: isSuccess(episode) ? 1 : 0,
      },
    };
    eventsBefore = step.action_result.browser_snapshot.backend_events?.length ?? eventsBefore;
  }
}

function observationOf(step: EpisodeStep, page: PageContent, { urlChanged, stagnation }: Movement): Row {
  const { action, current_url: url, iteration } = step.action_result.browser_snapshot;
  return {
    url,
    url_tokens: urlTokens(url),
    dom_excerpt: firstCodePoints(page.text, excerptLength),
    observation: step.observation === undefined ? null : firstCodePoints(step.observation, excerptLength),
    url_changed: urlChanged ? 1 : 0,
    stagnation,
    iteration,
    action_prev: action.kind,
  };
}

function labelColumns(outcome: LabelOutcome | undefined): Row {
  if (outcome?.status === "labelled") return { label: JSON.stringify(outcome.label), label_missing: null };
  return { label: null, label_missing: outcome?.reason ?? null };
}

function featuresOf({ action_result: result }: EpisodeStep, page: PageContent, eventsBefore: number): Row {
  const { browser_snapshot: snapshot, action } = result;
  const js = countsOf((snapshot.js_events ?? []).map(({ event_type: type }) => type));
  const before = snapshot.backend_events_before?.length ?? eventsBefore;
  const after = snapshot.backend_events?.length ?? before;
  return {
    success: result.successfully_executed,
    execution_time: result.execution_time ?? null,
    html_length: snapshot.current_html.length,
    dom_length: page.text.length,
    num_inputs: page.inputs,
    num_buttons: page.buttons,
    num_links: page.links,
    num_textareas: page.textareas,
    num_forms: page.forms,
    js_events: JSON.stringify(js),
    js_event_total: Object.values(js).reduce((sum, count) => sum + count, 0),
    action_type: action.kind,
    action_x: coordinate(action.args.x),
    action_y: coordinate(action.args.y),
    has_selector: hasSelector(action.args.selector) ? 1 : 0,
    backend_event_count_before: before,
    backend_event_count_after: after,
    backend_event_delta: after - before,
  };
}

/** How often each name comes, in the order of the names. */
function countsOf(names: readonly unknown[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    if (typeof name === "string" && name !== "") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function coordinate(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function hasSelector(selector: unknown): boolean {
  if (typeof selector === "string") return selector !== "";
  return typeof selector === "object" && selector !== null && Object.keys(selector).length > 0;
}
