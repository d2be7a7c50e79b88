import { contextReplaced } from "../../atif/context-segments.ts";
import { StepWriter } from "../../atif/step-writer.ts";
import type { Step } from "../../atif/trajectory.ts";
import { type Fields, fieldsOf, textIn } from "../../protocols/fields.ts";
import { type Entry, formOf } from "./entries.ts";
import { isCallKey, isInstructionKey, resultMark } from "./entry-key.ts";
import type { ModelCall } from "./model-call.ts";
import { effortOf, finishNote, metricsOf, withoutTokens } from "./turn-facts.ts";

/** A request of a conversation, taken apart. */
export interface Asked {
  call: ModelCall;
  system: string;
  entries: Entry[];
  /** The entries that have a key. */
  keyed: { key: string; index: number; isAgent: boolean }[];
  tools: Fields[];
  /** All instructions, wherever they stand. */
  instructions: string;
  /** Keys of what is said before the agent says anything, instructions left out. */
  opening: string[];
}

/** Where in a request the things begin that its conversation has not had yet. */
export interface Continuation {
  newFrom: number;
  /** `same`: all before it is known; `edited`: some of it was changed; `replaced`: some of it is gone. */
  history: "same" | "edited" | "replaced";
}

/**
 * A context is written whole each time it is replaced; after so many times only that it was replaced is noted. A client
 * that drops its oldest message with every request would otherwise make the steps grow with the square of the turns.
 */
const maxReplacements = 50;

/** Takes a request apart, as its protocol has it. */
export function takeApart(call: ModelCall): Asked {
  const form = formOf(call.protocol);
  const entries = form.entries(call.request);
  const keyed = entries.flatMap(({ key, isAgent }, index) =>
    key === undefined ? [] : [{ key, index, isAgent }],
  );
  const system = form.system(call.request);
  const firstTurn = keyed.findIndex(({ isAgent }) => isAgent);
  const said = keyed.slice(0, firstTurn === -1 ? keyed.length : firstTurn).map(({ key }) => key);
  return {
    call,
    system,
    entries,
    keyed,
    tools: form.tools(call.request),
    instructions: [system, ...said.filter(isInstructionKey)].join("\n"),
    opening: said.filter((key) => !isInstructionKey(key)),
  };
}

/** One conversation of a session, turn by turn. Holds its last request's keys and its steps, not its exchanges. */
export class Thread {
  /** Answers of the model. */
  turns = 0;
  readonly #writer = new StepWriter();
  readonly #tools = new Map<string, Fields>();
  #system = "";
  #instructions = "";
  #opening: string[] = [];
  #requestKeys: string[] = [];
  #answerKeys: string[] = [];
  #answerText = "";
  #responseId: string | undefined;
  #endedAt = "";
  #model: string | undefined;
  #replacements = 0;
  #isEdited = false;

  constructor(asked: Asked) {
    this.#begin(asked);
  }

  /** What was said before the agent said anything. */
  get opening(): string {
    return this.#opening.join("\n");
  }

  get toolDefinitions(): Fields[] {
    return [...this.#tools.values()];
  }

  get model(): string | undefined {
    return this.#model;
  }

  steps(): Step[] {
    return this.#writer.finish();
  }

  /** Whether the request comes from the same program with the same instructions or tools. */
  isOfSameKind({ instructions, tools, entries }: Asked): boolean {
    if (entries.length === 0) return false;
    if (tools.length === 0) return this.#tools.size === 0 && instructions === this.#instructions;
    return instructions === this.#instructions || tools.every((tool) => this.#tools.has(toolName(tool)));
  }

  /** Whether the request says in its beginning what this conversation's last answer, a summary, says. */
  isSummarizedIn({ keyed }: Asked): boolean {
    const summary = /<summary>([\s\S]*?)<\/summary>/.exec(this.#answerText)?.[1] ?? this.#answerText;
    const words = summary.trim().slice(0, 400);
    return words.length >= 40 && keyed.some(({ key, isAgent }) => !isAgent && key.includes(words));
  }

  /** Whether the request begins as this conversation does, and was sent after its last answer. */
  beginsAlike(asked: Asked): boolean {
    return this.#sharesOpening(asked) && asked.call.startedAt >= this.#endedAt;
  }

  /** Whether the request names this conversation's last answer as what it goes on from. */
  isContinuedById({ call }: Asked): boolean {
    const previous = call.request.previous_response_id;
    return typeof previous === "string" && previous === this.#responseId;
  }

  /**
   * Where the request goes on from this conversation's last answer; `undefined` when the answer is not in it.
   * @param isLoose whether an answer in other words may stand in its place.
   */
  continuation(asked: Asked, isLoose: boolean): Continuation | undefined {
    const { entries, keyed } = asked;
    const known = this.#requestKeys.length;
    const isPrefix = this.#requestKeys.every((key, index) => keyed[index]?.key === key);
    if (isPrefix && (this.#answerKeys.length === 0 || this.#echoes(keyed[known], isLoose))) {
      const from = this.#answerKeys.length === 0 ? keyed[known]?.index : undefined;
      return { newFrom: from ?? endOfTurn(entries, keyed[known]?.index ?? entries.length), history: "same" };
    }
    const anchor = this.#answerKeys.findLast(isCallKey) ?? this.#anchorText(asked);
    const at =
      anchor === undefined ? -1 : keyed.findLastIndex(({ key, isAgent }) => isAgent && key === anchor);
    if (at === -1) return undefined;
    const begin = beginOfTurn(keyed, at);
    return {
      newFrom: endOfTurn(entries, keyed[at]?.index ?? 0),
      history: begin < known ? "replaced" : "edited",
    };
  }

  /** Writes what the request adds, as far as it goes on from what was said before. */
  goOn(asked: Asked, { newFrom, history }: Continuation): void {
    if (history === "replaced") {
      this.replace(asked);
      return;
    }
    if (asked.system !== this.#system && asked.system !== "") this.#sayChanged(asked);
    this.#writeNew(asked, asked.entries.slice(newFrom));
    this.#isEdited = history === "edited";
    this.#know(asked, keysOf(asked));
  }

  /** Writes a request that holds only what is new: the provider has the rest. */
  goOnById(asked: Asked): void {
    this.#writeNew(asked, asked.entries);
    this.#know(asked, [...this.#requestKeys, ...this.#answerKeys, ...keysOf(asked)]);
  }

  /** Notes that the context was replaced, and writes the new one whole. */
  replace(asked: Asked): void {
    this.#replacements += 1;
    const content = "From here on the model was shown another context.";
    if (this.#replacements > maxReplacements) {
      const { restated: _, ...note } = contextReplaced.context_management;
      this.#writer.say("system", { content, extra: { context_management: note } });
      this.#know(asked, keysOf(asked));
      return;
    }
    this.#writer.say("system", { content, extra: { ...contextReplaced } });
    this.#writer.at(asked.call.startedAt);
    this.#begin(asked);
  }

  /** Writes the model's turn. */
  answer(call: ModelCall): void {
    if (!("answer" in call.outcome)) return;
    const { answer } = call.outcome;
    const form = formOf(call.protocol);
    const entries = form.answer(answer).map((entry) => ({ ...entry, item: withoutTokens(entry.item) }));
    const writer = this.#writer;
    writer.endTurn();
    // A chat message begins a turn by itself.
    if (call.protocol === "chat-completions") form.write(entries, writer);
    writer.measure(metricsOf(call));
    writer.note({
      ...(call.id !== undefined && { exchange_id: call.id }),
      ...(this.#isEdited && { history_edited: true }),
      ...finishNote(answer),
    });
    writer.speak({ content: "", extra: {} });
    if (call.model !== undefined) writer.named(call.model, effortOf(call.request));
    writer.at(call.endedAt);
    if (call.protocol !== "chat-completions") form.write(entries, writer);
    writer.endTurn();
    this.turns += 1;
    this.#model ??= call.model;
    this.#answerKeys = entries.flatMap(({ key }) => (key === undefined ? [] : [key]));
    this.#answerText = textOfKeys(this.#answerKeys);
    this.#responseId = textIn(answer.id) || undefined;
    this.#endedAt = call.endedAt;
  }

  #begin(asked: Asked): void {
    this.#opening = asked.opening;
    if (asked.system !== "") this.#writer.say("system", { content: asked.system, extra: {} });
    this.#writeNew(asked, asked.entries);
    this.#know(asked, keysOf(asked));
  }

  #sayChanged({ system, call }: Asked): void {
    this.#writer.say("system", { content: system, extra: { system_prompt_changed: true } });
    this.#writer.at(call.startedAt);
  }

  /** The agent's words in a request that no answer of this conversation brought are context. */
  #writeNew({ call }: Asked, entries: readonly Entry[]): void {
    const form = formOf(call.protocol);
    for (const run of runs(entries)) {
      const isAgent = run[0]?.isAgent === true;
      if (isAgent) this.#writer.beginContext();
      form.write(run, this.#writer);
      if (isAgent) this.#writer.endContext();
      // Results stand in the agent's turn, which has its own time.
      else if (run.at(-1)?.key?.startsWith(resultMark) === false) this.#writer.at(call.startedAt);
    }
  }

  #know({ system, instructions, tools }: Asked, keys: string[]): void {
    if (system !== "") this.#system = system;
    if (instructions !== "") this.#instructions = instructions;
    for (const tool of tools) this.#tools.set(toolName(tool), tool);
    this.#requestKeys = keys;
    this.#answerKeys = [];
    this.#answerText = "";
    this.#responseId = undefined;
  }

  #echoes(next: Asked["keyed"][number] | undefined, isLoose: boolean): boolean {
    if (next?.isAgent !== true) return false;
    if (this.#answerKeys.includes(next.key)) return true;
    return isLoose && !this.#answerKeys.some(isCallKey) && !isCallKey(next.key);
  }

  /** Words tell a conversation only together with its beginning. */
  #anchorText(asked: Asked): string | undefined {
    return this.#sharesOpening(asked) ? this.#answerKeys.at(-1) : undefined;
  }

  #sharesOpening({ opening }: Asked): boolean {
    return this.#opening.length > 0 && this.#opening.every((key, index) => opening[index] === key);
  }
}

function keysOf({ keyed }: Asked): string[] {
  return keyed.map(({ key }) => key);
}

/** What an answer says, its calls left out. */
function textOfKeys(keys: readonly string[]): string {
  const said = keys.filter((key) => !isCallKey(key));
  return said.map((key) => key.replace(/^assistant /, "")).join("\n");
}

function toolName(tool: Fields): string {
  const { name } = fieldsOf(tool.function);
  return textIn(name) || textIn(tool.name) || textIn(tool.type);
}

/** Behind the agent's entries of which one stands at `index`. */
function endOfTurn(entries: readonly Entry[], index: number): number {
  let end = index;
  while (entries[end]?.isAgent === true) end += 1;
  return end;
}

function beginOfTurn(keyed: Asked["keyed"], at: number): number {
  let begin = at;
  while (keyed[begin - 1]?.isAgent === true) begin -= 1;
  return begin;
}

function runs(entries: readonly Entry[]): Entry[][] {
  const found: Entry[][] = [];
  for (const entry of entries) {
    const last = found.at(-1);
    if (last?.[0]?.isAgent === entry.isAgent) last.push(entry);
    else found.push([entry]);
  }
  return found;
}
