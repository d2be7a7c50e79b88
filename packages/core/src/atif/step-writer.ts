import { joined, type SourceContent } from "./source-content.ts";
import { isTimestamp } from "./timestamp.ts";
import { toolArguments } from "./tool-arguments.ts";
import type { Content, ContentPart, Metrics, ObservationResult, Step, ToolCall } from "./trajectory.ts";

export interface RecordedCall {
  /** Absent: one is made up from the place in the trajectory. */
  id: string | undefined;
  name: string;
  /** An object, or JSON text. */
  arguments: unknown;
}

interface Call {
  /** As the source names it; several calls of a conversation may share it. */
  sourceId: string | undefined;
  call: ToolCall;
  answered: boolean;
}

interface PlacedCall {
  step: Draft;
  call: Call;
}

interface Draft {
  source: Step["source"];
  copied: boolean;
  pieces: (string | ContentPart)[];
  reasoning: string[];
  calls: Call[];
  results: ObservationResult[];
  metrics: Partial<Metrics>;
  extra: Record<string, unknown>;
  timestamp: string | undefined;
  model: string | undefined;
  effort: string | number | undefined;
}

/**
 * Makes ATIF steps from a conversation's items in their order. What the agent says, thinks and calls until
 * something comes back is one step: one turn of the model.
 */
export class StepWriter {
  readonly #drafts: Draft[] = [];
  /** The calls by their source's id, oldest first: a long recording has hundreds of thousands. */
  readonly #calls = new Map<string, PlacedCall[]>();
  #turn: Draft | undefined;
  #copied = false;

  /** From here on, the agent's turns are context that the request already held (`is_copied_context`). */
  beginContext(): void {
    this.#copied = true;
    this.endTurn();
  }

  endContext(): void {
    this.#copied = false;
    this.endTurn();
  }

  /** The next thing of the agent begins a step of its own. */
  endTurn(): void {
    this.#turn = undefined;
  }

  /** A system or user message. */
  say(source: "system" | "user", { content, extra }: SourceContent): void {
    this.endTurn();
    const draft = this.#add(source);
    draft.pieces.push(...pieces(content));
    Object.assign(draft.extra, extra);
  }

  speak({ content, extra }: SourceContent): void {
    const turn = this.#openTurn();
    turn.pieces.push(...pieces(content));
    mergeExtra(turn.extra, extra);
  }

  think(text: string): void {
    if (text !== "") this.#openTurn().reasoning.push(text);
  }

  call({ id, name, arguments: raw }: RecordedCall): void {
    const turn = this.#openTurn();
    const parsed = toolArguments(raw);
    const unused = this.#unusedId(turn, id);
    const extra = { ...parsed.extra, ...(unused !== id && { source_id: id ?? null }) };
    const call: ToolCall = {
      tool_call_id: unused,
      function_name: name,
      arguments: parsed.arguments,
      ...(Object.keys(extra).length > 0 && { extra }),
    };
    const made = { sourceId: id, call, answered: false };
    turn.calls.push(made);
    if (id === undefined) return;
    const known = this.#calls.get(id);
    if (known === undefined) this.#calls.set(id, [{ step: turn, call: made }]);
    else known.push({ step: turn, call: made });
  }

  /** Token ids and counts of the turn's model call; a second set in one turn means a second model call. */
  measure(metrics: Partial<Metrics>): void {
    if (Object.keys(metrics).length === 0) return;
    if (this.#turn !== undefined && Object.keys(this.#turn.metrics).length > 0) this.endTurn();
    Object.assign(this.#openTurn().metrics, metrics);
  }

  /** The model that takes the agent's turn, once it has begun, and how much it was told to think. */
  named(model: string, effort?: string | number): void {
    if (this.#turn === undefined) return;
    this.#turn.model = model;
    this.#turn.effort = effort;
  }

  /** Facts of the agent's turn that have no field. */
  note(extra: Record<string, unknown>): void {
    if (Object.keys(extra).length > 0) mergeExtra(this.#openTurn().extra, extra);
  }

  /** Remembers when the newest step happened; what is no ISO 8601 time goes into `extra`. */
  at(timestamp: string | null | undefined): void {
    const draft = this.#drafts.at(-1);
    if (draft === undefined || timestamp === null || timestamp === undefined) return;
    if (isTimestamp(timestamp)) draft.timestamp = timestamp;
    else draft.extra.timestamp = timestamp;
  }

  /**
   * Something that came back. It goes to the step of the newest unanswered call with that id, else of the
   * newest with that id; an output whose call is unknown stays where it came, flagged.
   */
  observe(callId: string | undefined, { content, extra }: SourceContent): void {
    const found = callId === undefined ? undefined : this.#findCall(callId);
    const step = found?.step ?? this.#drafts.at(-1) ?? this.#add("system");
    if (found !== undefined) found.call.answered = true;
    const unknown = callId !== undefined && found === undefined ? { unknown_call_id: callId } : {};
    const notes = { ...extra, ...unknown };
    step.results.push({
      ...(found !== undefined && { source_call_id: found.call.call.tool_call_id }),
      content,
      ...(Object.keys(notes).length > 0 && { extra: notes }),
    });
  }

  /** The steps, numbered. Calls that nothing answered are flagged. */
  finish(): Step[] {
    return this.#drafts.map((draft, index) => {
      for (const { call, answered } of draft.calls) {
        if (!answered) call.extra = { ...call.extra, unanswered: true };
      }
      return toStep(draft, index + 1);
    });
  }

  #openTurn(): Draft {
    if (this.#turn === undefined || this.#turn.results.length > 0) this.#turn = this.#add("agent");
    return this.#turn;
  }

  #add(source: Step["source"]): Draft {
    const draft: Draft = {
      source,
      copied: this.#copied && source === "agent",
      pieces: [],
      reasoning: [],
      calls: [],
      results: [],
      metrics: {},
      extra: {},
      timestamp: undefined,
      model: undefined,
      effort: undefined,
    };
    this.#drafts.push(draft);
    return draft;
  }

  #unusedId(turn: Draft, id: string | undefined): string {
    const stem = id ?? `call_${this.#drafts.length}_${turn.calls.length + 1}`;
    const isUsed = (candidate: string) => turn.calls.some(({ call }) => call.tool_call_id === candidate);
    let unused = stem;
    for (let number = 2; isUsed(unused); number += 1) unused = `${stem}#${number}`;
    return unused;
  }

  #findCall(id: string): PlacedCall | undefined {
    const candidates = this.#calls.get(id) ?? [];
    const step = candidates.findLast(({ call }) => !call.answered)?.step;
    const first = step?.calls.find((call) => call.sourceId === id && !call.answered);
    return step === undefined || first === undefined ? candidates.at(-1) : { step, call: first };
  }
}

function pieces(content: Content): (string | ContentPart)[] {
  return typeof content === "string" ? (content === "" ? [] : [content]) : content;
}

/** Lists grow; anything else is replaced. */
function mergeExtra(target: Record<string, unknown>, extra: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(extra)) {
    const before = target[key];
    target[key] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }
}

function toStep(draft: Draft, stepId: number): Step {
  const reasoning = draft.reasoning.join("\n\n");
  return {
    step_id: stepId,
    source: draft.source,
    message: joined(draft.pieces, "\n\n"),
    ...(draft.model !== undefined && { model_name: draft.model }),
    ...(draft.effort !== undefined && { reasoning_effort: draft.effort }),
    ...(draft.timestamp !== undefined && { timestamp: draft.timestamp }),
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(draft.calls.length > 0 && { tool_calls: draft.calls.map(({ call }) => call) }),
    ...(draft.results.length > 0 && { observation: { results: draft.results } }),
    ...(Object.keys(draft.metrics).length > 0 && { metrics: draft.metrics }),
    ...(draft.copied && { is_copied_context: true }),
    ...(Object.keys(draft.extra).length > 0 && { extra: draft.extra }),
  };
}
