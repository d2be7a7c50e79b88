import { contextReplaced } from "@tracemill/core/atif/context-segments.ts";
import { isContextLimit } from "@tracemill/core/models/context-limit.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ChatMessage, ModelAnswer, ModelClient } from "@tracemill/core/ports/model-client.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";
import { answerStep, assistantMessage } from "../answer-turn.ts";
import { endByLimit } from "../limits.ts";
import { unlessStopped } from "../tool-loop.ts";
import type { TrajectoryBuilder } from "../trajectory-builder.ts";
import { isNearlyFull, tokensUsed, turnsOf, unwound } from "./context.ts";
import type { TerminusOptions } from "./options.ts";
import { confirmPrompt, cutText, malformedPrompt, viewText, warningsText } from "./prompts.ts";
import type { Command, ReadReply, Reply, ReplyForm } from "./reply.ts";
import type { ShellDesk } from "./shell-desk.ts";
import { type Handover, handOver } from "./summary.ts";

/** A conversation so young is not summarised: what follows would be no shorter. */
const fewestTurns = 2;

export interface Assignment {
  model: ModelClient;
  form: ReplyForm;
  desk: ShellDesk;
  trajectory: TrajectoryBuilder;
  /** Names the agent in what it writes. */
  version: string;
  /** What the task asks for. */
  task: string;
  options: TerminusOptions;
  signal: AbortSignal;
  clock: Pick<Clock, "now">;
}

const completed: AgentEnd = { kind: "completed" };

type Failure = Extract<AgentEnd, { kind: "agent-failed" }>["failure"];

function failed(failure: Failure, reason: string): AgentEnd {
  return { kind: "agent-failed", failure, reason };
}

/** A model at work at a terminal: what it was told, what it said, what was typed, until it is done. */
export class Work {
  readonly #assignment: Assignment;
  /** What the model sees with its next answer. */
  #messages: ChatMessage[];
  /** Messages before the first turn of this context. */
  #head: number;
  #last: { usage: ModelAnswer["usage"]; messages: number } | undefined;
  #summaries = 0;
  #malformed = 0;
  /** The model has said once that it is done, and is asked whether it is sure. */
  #isAskedToConfirm = false;

  /** @param messages the system prompt and the task: the context that the work begins with. */
  constructor(assignment: Assignment, messages: readonly ChatMessage[]) {
    this.#assignment = assignment;
    this.#messages = [...messages];
    this.#head = messages.length;
    assignment.trajectory.addContext(messages);
  }

  /** Works to the end, or until the signal is aborted. */
  async run(): Promise<AgentEnd> {
    const { signal, options } = this.#assignment;
    try {
      for (let turn = 1; !signal.aborted; turn += 1) {
        if (turn > options.maxTurns)
          return failed(
            "turn-limit",
            `it had not come to an end after ${options.maxTurns} turns (\`maxTurns\`)`,
          );
        const answer = await unlessStopped(this.#ask(), signal);
        const end = answer === undefined ? completed : await this.#act(answer);
        if (end !== undefined) return end;
      }
      return completed;
    } catch (error) {
      const end = this.#isSpecsFault(error) ? undefined : endByLimit(error);
      if (end === undefined) throw error;
      return end;
    }
  }

  /** A task that never fits because of the spec's own `maxTokens` was not tried. */
  #isSpecsFault(error: unknown): boolean {
    const wasAsked = this.#last !== undefined;
    return isContextLimit(error) && !wasAsked && this.#assignment.options.maxTokens !== undefined;
  }

  async #ask(): Promise<ModelAnswer> {
    const { model, signal, options } = this.#assignment;
    if (this.#isDueForSummary()) await this.#handOver(this.#messages);
    const complete = () => model.complete({ messages: [...this.#messages], tools: [], signal });
    const answer = await complete().catch(async (error: unknown) => {
      if (!isContextLimit(error) || !options.summarize || !this.#mayShrink()) throw error;
      await this.#handOver(unwound(this.#messages, this.#head));
      return complete();
    });
    this.#messages.push(assistantMessage(answer));
    this.#last = { usage: answer.usage, messages: this.#messages.length };
    return answer;
  }

  /** A context that was handed over and is full again at once would be handed over for ever. */
  #mayShrink(): boolean {
    return turnsOf(this.#messages, this.#head) >= (this.#summaries === 0 ? 1 : fewestTurns);
  }

  #isDueForSummary(): boolean {
    const { contextTokens, summarize, maxTokens } = this.#assignment.options;
    if (!summarize || contextTokens === undefined) return false;
    if (turnsOf(this.#messages, this.#head) < fewestTurns) return false;
    return isNearlyFull(tokensUsed(this.#messages, this.#last), contextTokens, maxTokens);
  }

  /** Goes on in a new context, which is handed what the old one knew. */
  async #handOver(messages: readonly ChatMessage[]): Promise<void> {
    const { desk, version, task, model, signal, clock } = this.#assignment;
    this.#summaries += 1;
    const handover = await handOver({
      ...{ model, signal, clock, version, task, messages },
      number: this.#summaries,
      screen: desk.screen(),
      head: this.#head,
    });
    this.#note(handover);
    this.#messages = handover.messages;
    this.#head = handover.messages.length;
    this.#last = { usage: undefined, messages: 0 };
    this.#isAskedToConfirm = false;
  }

  #note({ messages, subagents }: Handover): void {
    const { trajectory } = this.#assignment;
    for (const subagent of subagents) trajectory.addSubagent(subagent);
    const refs = subagents.map(({ trajectory_id: id }) => ({ trajectory_id: id }));
    trajectory.add({
      source: "system",
      message: "The conversation had grown too long; it goes on with what was handed over.",
      ...(refs.length === 0 ? {} : { observation: { results: [{ subagent_trajectory_ref: refs }] } }),
      extra: contextReplaced,
    });
    trajectory.addContext(messages);
  }

  /** Does what an answer asks for. @returns how the work ended, if it did. */
  async #act(answer: ModelAnswer): Promise<AgentEnd | undefined> {
    if (answer.finish === "refusal") {
      this.#record(answer, undefined);
      return failed("refusal", "the model refused the task");
    }
    const isCut = answer.finish === "length";
    const read = this.#assignment.form.read(answer.text, isCut);
    if ("error" in read || (isCut && read.commands.length === 0 && !read.complete)) {
      return this.#refuse(answer, read);
    }
    this.#malformed = 0;
    return this.#carryOut(answer, read);
  }

  /** Tells the model that its reply was of no use, unless that has happened too often. */
  #refuse(answer: ModelAnswer, read: ReadReply): AgentEnd | undefined {
    const { form, options } = this.#assignment;
    const isCut = answer.finish === "length";
    const error = "error" in read ? read.error : "it has no whole command";
    this.#malformed += 1;
    this.#isAskedToConfirm = false;
    if (this.#malformed >= options.maxMalformed) {
      this.#record(answer, undefined);
      const times = `${this.#malformed} times in a row (\`maxMalformed\`)`;
      return isCut
        ? failed("output-limit", `its reply was cut at the output limit ${times}`)
        : failed("error", `its reply could not be read ${times}: ${error}`);
    }
    const said = isCut ? cutText(0) : malformedPrompt(form, error, read.warnings);
    this.#record(answer, said);
    return undefined;
  }

  async #carryOut(answer: ModelAnswer, reply: Reply): Promise<AgentEnd | undefined> {
    const { form, desk, options, signal } = this.#assignment;
    const { view, notes } = await desk.type(reply.commands, { wait: options.wait, signal });
    const isSure = reply.complete && this.#isAskedToConfirm;
    this.#isAskedToConfirm = reply.complete;
    if (isSure || signal.aborted || desk.failure !== undefined) {
      this.#record(answer, undefined, { ...did(reply), terminal: view.text });
      return desk.failure === undefined ? completed : failed("error", desk.failure);
    }
    const cut = answer.finish === "length" ? [cutText(reply.commands.length)] : [];
    const warned = reply.warnings.length === 0 ? [] : [warningsText(reply.warnings)];
    const shown = reply.complete ? confirmPrompt(form, view) : viewText(view);
    this.#record(answer, [...cut, ...warned, ...notes, shown].join("\n\n"), did(reply));
    return undefined;
  }

  /** Keeps a turn: the answer as it is, and what is said to it, which is the user's next message. */
  #record(answer: ModelAnswer, said: string | undefined, extra?: Record<string, unknown>): void {
    const { trajectory, options } = this.#assignment;
    const { reasoningEffort } = options;
    trajectory.add({
      ...answerStep(answer),
      ...(reasoningEffort === undefined ? {} : { reasoning_effort: reasoningEffort }),
      ...(said === undefined ? {} : { observation: { results: [{ content: said }] } }),
      ...(extra === undefined ? {} : { extra }),
    });
    if (said !== undefined) this.#messages.push({ role: "user", content: said });
  }
}

/** What was read in a reply, for those who look at the trajectory: the reply itself is its message. */
function did({ commands, complete }: Reply): { typed: Command[]; complete: boolean } {
  return { typed: commands, complete };
}
