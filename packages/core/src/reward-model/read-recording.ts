/**
 * Browser recordings come in several shapes: autoppia_iwa's `execution_history`, lists of actions with a list of
 * snapshots beside them, raw traces. All become steps as `RecordedEpisode` parses them. Nothing is checked here.
 */

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The first value that is there. */
export function firstOf(...values: unknown[]): unknown {
  return values.find((value) => value !== undefined && value !== null);
}

export interface Recording {
  /** Actions, results of actions, or whole steps. */
  entries: readonly unknown[];
  /** A snapshot for each entry, where entries have none of their own. */
  snapshots: readonly unknown[];
  /** One after each entry, or one more: before the first. */
  screenshots: readonly unknown[];
  /** Of the whole solution, where steps have none of their own. */
  backendEvents: unknown;
}

/** The steps of a recording, for `foundEpisode`. */
export function stepsOfRecording({ entries, snapshots, screenshots, backendEvents }: Recording): unknown[] {
  let html = "";
  return entries.map((entry, at) => {
    const recorded = isFields(entry) ? entry : {};
    const result = isFields(recorded.action_result) ? recorded.action_result : recorded;
    const action = actionOf(firstOf(result.action, entry), result);
    const own = firstOf(result.browser_snapshot, result.snapshot, snapshots[at]);
    const isLast = at === entries.length - 1;
    const snapshot = snapshotOf(own, {
      action,
      at,
      html,
      ...(isLast && backendEvents !== undefined ? { backendEvents } : {}),
      ...screenshotsAt(screenshots, at, entries.length),
    });
    html = typeof snapshot?.current_html === "string" ? snapshot.current_html : "";
    return {
      index: firstOf(recorded.index, recorded.action_index, at),
      tests: recorded.tests,
      observation: typeof result.observation === "string" ? result.observation : undefined,
      action_result: {
        ...outcomeOf(result),
        action,
        action_event: eventOf(result, action),
        browser_snapshot: snapshot,
      },
    };
  });
}

function outcomeOf(result: Fields) {
  const { error, execution_time } = result;
  const executed = firstOf(result.successfully_executed, result.success);
  return {
    // An action that says nothing of itself was carried out, unless it names an error.
    successfully_executed: executed ?? firstOf(error) === undefined,
    error: typeof error === "string" || error === undefined || error === null ? error : JSON.stringify(error),
    execution_time,
  };
}

function eventOf({ action_event: event }: Fields, { kind }: { kind: unknown }): unknown {
  return typeof event === "string" ? event : kind;
}

/** An action in one of its forms: `{kind, args}`, `{type, …}`, `{action: "click", …}`, `"click"`. */
export function actionOf(action: unknown, beside: Fields = {}): { kind: unknown; args: unknown } {
  if (typeof action === "string") return { kind: plainKind(action), args: argumentsBeside(beside) };
  if (!isFields(action)) return { kind: undefined, args: {} };
  if (action.kind !== undefined) return { kind: action.kind, args: action.args };
  const { type, action: name, ...args } = action;
  const kind = firstOf(type, name);
  return { kind: typeof kind === "string" ? plainKind(kind) : kind, args };
}

const ofResults = new Set([
  ...[
    "action",
    "action_event",
    "successfully_executed",
    "success",
    "error",
    "execution_time",
    "index",
    "tests",
  ],
  ...["action_index", "browser_snapshot", "snapshot", "observation", "timestamp"],
]);

function argumentsBeside(result: Fields): Fields {
  return Object.fromEntries(Object.entries(result).filter(([key]) => !ofResults.has(key)));
}

/** `DoubleClickAction` is `double_click`. */
function plainKind(name: string): string {
  return name
    .replace(/(?<=.)Action$/, "")
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, "_")
    .toLowerCase();
}

interface SnapshotPlace {
  action: { kind: unknown; args: unknown };
  at: number;
  /** Of the step before. */
  html: string;
  backendEvents?: unknown;
  screenshot_before?: unknown;
  screenshot_after?: unknown;
}

function snapshotOf(own: unknown, { at, html, action, backendEvents, ...pictures }: SnapshotPlace) {
  const current = isFields(own) ? firstOf(own.current_html, own.html, own.dom) : undefined;
  if (!isFields(own) || current === undefined) return undefined;
  return {
    iteration: firstOf(own.iteration, at),
    action: isFields(own.action) ? actionOf(own.action) : action,
    prev_html: firstOf(own.prev_html, html),
    current_html: current,
    screenshot_before: firstOf(own.screenshot_before, pictures.screenshot_before),
    screenshot_after: firstOf(own.screenshot_after, own.screenshot, pictures.screenshot_after),
    backend_events: eventsOf(firstOf(own.backend_events, backendEvents)),
    backend_events_before: eventsOf(own.backend_events_before),
    js_events: own.js_events,
    timestamp: own.timestamp,
    current_url: firstOf(own.current_url, own.url, ""),
  };
}

function eventsOf(events: unknown): unknown {
  if (!Array.isArray(events)) return events;
  return events.map((event: unknown) =>
    isFields(event)
      ? {
          event_name: firstOf(event.event_name, event.name, event.event),
          payload: firstOf(event.payload, event.data),
          timestamp: event.timestamp,
        }
      : event,
  );
}

function screenshotsAt(screenshots: readonly unknown[], at: number, steps: number) {
  if (screenshots.length === steps) return { screenshot_after: screenshots[at] };
  if (screenshots.length !== steps + 1) return {};
  return { screenshot_before: screenshots[at], screenshot_after: screenshots[at + 1] };
}
