import { contextCompacted, contextReplaced } from "../context-segments.ts";
import { writeResponseItems } from "../from-responses.ts";
import { isFields } from "../source-content.ts";
import { StepWriter } from "../step-writer.ts";
import type { Metrics, Trajectory } from "../trajectory.ts";
import { assemble, type NativeThread } from "./assemble.ts";
import { countOf, fieldsOf, Leftovers, type Line, logLines, type NativeLog, textOf } from "./log-lines.ts";

/**
 * Codex's own logs (`CODEX_HOME/sessions/**\/rollout-*.jsonl`, as version 0.169 writes them and those before it) as one
 * trajectory: the session that the user began, and the threads that it started as its subagents. Each answer of the
 * model is one step with its own token counts. A compaction is noted as `contextSegments` reads it.
 * @returns undefined when the logs hold no turn and no message.
 */
export function codexTrajectory(logs: readonly NativeLog[]): Trajectory | undefined {
  return assemble("codex", logs.map(readThread));
}

/** Events beside the items that tell of something which no item does. */
const notedEvents = new Set(["error", "stream_error", "turn_aborted", "warning"]);

function readThread(log: NativeLog): NativeThread {
  const leftovers = new Leftovers();
  const lines = usageAfterItems(logLines(log, leftovers));
  const reader = new RolloutReader(leftovers);
  for (const line of lines) reader.read(line);
  return reader.thread(log);
}

class RolloutReader {
  readonly #writer = new StepWriter();
  readonly #leftovers: Leftovers;
  #meta: Line = {};
  #model: string | undefined;
  #turnOpen = false;
  #compactions = 0;
  readonly #readers = new Map<string, (payload: Line, timestamp: string | undefined) => void>([
    ["session_meta", (payload) => this.#begin(payload)],
    ["turn_context", (payload) => this.#context(payload)],
    ["response_item", (payload, timestamp) => this.#item(payload, timestamp)],
    ["token_usage_record", (payload) => this.#usage(fieldsOf(payload.usage))],
    ["compacted", (payload, timestamp) => this.#compaction(payload, timestamp)],
    ["event_msg", (payload) => this.#event(payload)],
    ["world_state", () => this.#leftovers.skip("world_state")],
  ]);

  constructor(leftovers: Leftovers) {
    this.#leftovers = leftovers;
  }

  read(line: Line): void {
    const kind = String(line.type);
    const reader = this.#readers.get(kind);
    if (reader === undefined) this.#leftovers.unknown(line);
    else reader(fieldsOf(line.payload), textOf(line.timestamp));
  }

  thread({ path }: NativeLog): NativeThread {
    const source = fieldsOf(this.#meta.source);
    const isSubagent = this.#meta.thread_source === "subagent" || source.subagent !== undefined;
    const { base_instructions: _, ...meta } = this.#meta;
    return {
      id: textOf(this.#meta.id) ?? path,
      isMain: !isSubagent,
      agentVersion: textOf(this.#meta.cli_version),
      sessionId: textOf(this.#meta.session_id) ?? textOf(this.#meta.id),
      model: this.#model,
      steps: this.#writer.finish(),
      extra: { ...(Object.keys(meta).length > 0 && { session_meta: meta }), ...this.#leftovers.extra() },
      ...(this.#compactions > 0 && {
        notes: `The conversation was compacted ${this.#compactions} times: see the steps with \`extra.context_management\`.`,
      }),
    };
  }

  /** A resumed or forked session repeats this line: the first one is its own. */
  #begin(payload: Line): void {
    if (Object.keys(this.#meta).length > 0) {
      this.#leftovers.unknown({ type: "session_meta", payload });
      return;
    }
    this.#meta = payload;
    this.#instruct();
  }

  #context({ model }: Line): void {
    this.#model = textOf(model) ?? this.#model;
    this.#leftovers.skip("turn_context");
  }

  #item(payload: Line, timestamp: string | undefined): void {
    const item = cleanItem(payload);
    const isOutput = String(item.type).endsWith("_output");
    writeResponseItems([item], this.#writer);
    if (isModels(item)) {
      this.#turnOpen = true;
      if (this.#model !== undefined) this.#writer.named(this.#model);
    }
    if (!isOutput) this.#writer.at(timestamp);
  }

  /** The counts of the answer whose items have just come; those of a compaction's own request belong to no step. */
  #usage(usage: Line): void {
    if (!this.#turnOpen) {
      this.#leftovers.note("other_usage", usage);
      return;
    }
    this.#writer.measure(metricsOf(usage));
    this.#writer.endTurn();
    this.#turnOpen = false;
  }

  /** The context that the conversation goes on from is told whole, where the log has it: see `contextSegments`. */
  #compaction({ message, replacement_history: history, ...rest }: Line, timestamp: string | undefined): void {
    this.#compactions += 1;
    this.#turnOpen = false;
    const isTold = Array.isArray(history);
    const note = isTold ? contextReplaced : contextCompacted;
    this.#writer.say("system", { content: textOf(message) ?? "", extra: { ...rest, ...note } });
    this.#writer.at(timestamp);
    if (!isTold) return;
    this.#writer.beginContext();
    this.#instruct();
    writeResponseItems(
      (history as unknown[]).map((item) => (isFields(item) ? cleanItem(item) : item)),
      this.#writer,
    );
    this.#writer.endContext();
  }

  #instruct(): void {
    const instructions =
      textOf(fieldsOf(this.#meta.base_instructions).text) ?? textOf(this.#meta.instructions);
    if (instructions !== undefined) this.#writer.say("system", { content: instructions, extra: {} });
  }

  #event(payload: Line): void {
    const kind = String(payload.type);
    if (notedEvents.has(kind)) this.#leftovers.note("events", payload);
    else this.#leftovers.skip(`event_msg/${kind}`);
  }
}

/** What Codex adds to items for its own use is no part of what the model saw. */
function cleanItem({ internal_chat_message_metadata_passthrough: _, ...item }: Line): Line {
  return item;
}

function isModels({ type, role }: Line): boolean {
  if (type === "message") return role === "assistant";
  return type === "reasoning" || (typeof type === "string" && type.endsWith("_call"));
}

function metricsOf(usage: Line): Partial<Metrics> {
  const reasoning = countOf(usage.reasoning_output_tokens);
  return {
    prompt_tokens: countOf(usage.input_tokens),
    completion_tokens: countOf(usage.output_tokens),
    cached_tokens: countOf(usage.cached_input_tokens),
    ...(reasoning > 0 && { extra: { reasoning_tokens: reasoning } }),
  };
}

/**
 * Token counts stand right behind the items that they are of. Versions before `token_usage_record` told them by an event
 * some lines later, when the tools had already answered.
 */
function usageAfterItems(lines: readonly Line[]): Line[] {
  const hasRecords = lines.some(({ type }) => type === "token_usage_record");
  const ordered: Line[] = [];
  let behindItem = 0;
  let told = "";
  for (const line of lines) {
    const usage = hasRecords ? recordOf(line) : countEvent(line);
    const isNew = usage !== undefined && usage.total !== told;
    if (isNew) {
      told = usage.total;
      ordered.splice(behindItem, 0, usage.record);
      behindItem += 1;
    }
    if (!isNew || line !== usage.record) ordered.push(line);
    if (line.type === "response_item" && isModels(fieldsOf(line.payload))) behindItem = ordered.length;
  }
  return ordered;
}

interface ToldUsage {
  record: Line;
  /** Tells one count from its repetition: events come again when only the rate limits have changed. */
  total: string;
}

function recordOf(line: Line): ToldUsage | undefined {
  return line.type === "token_usage_record" ? { record: line, total: JSON.stringify(line) } : undefined;
}

function countEvent({ type, payload }: Line): ToldUsage | undefined {
  const event = fieldsOf(payload);
  const { last_token_usage: usage, total_token_usage: total } = fieldsOf(event.info);
  if (type !== "event_msg" || event.type !== "token_count" || usage === undefined) return undefined;
  return {
    record: { type: "token_usage_record", payload: { usage } },
    total: JSON.stringify(total ?? usage),
  };
}
