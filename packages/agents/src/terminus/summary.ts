import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { isContextLimit } from "@tracemill/core/models/context-limit.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { ChatMessage, ModelAnswer, ModelClient } from "@tracemill/core/ports/model-client.ts";
import { answerStep, assistantMessage } from "../answer-turn.ts";
import { TrajectoryBuilder } from "../trajectory-builder.ts";
import { turnsOf, withoutLastTurns } from "./context.ts";
import {
  answersPrompt,
  goOnPrompt,
  questionsPrompt,
  restartPrompt,
  shortPrompt,
  summaryPrompt,
} from "./summary-prompts.ts";

/** How often the conversation is halved until a summary of it fits. */
const maxHalvings = 4;
/** Of the screen, where there is little room. */
const shortScreenChars = 1_000;

export interface HandingOn {
  model: ModelClient;
  signal: AbortSignal;
  clock: Pick<Clock, "now">;
  /** Names this summary among those of the attempt: 1, 2, … */
  number: number;
  version: string;
  task: string;
  screen: string;
  /** The whole conversation, or what is left of one that no longer fits; ends with the user's words. */
  messages: readonly ChatMessage[];
  /** How many of the messages come before the first turn. */
  head: number;
}

export interface Handover {
  /** The new conversation, up to the user's words that the model answers next. */
  messages: ChatMessage[];
  /** What was said to come to it. */
  subagents: Trajectory[];
}

/**
 * Hands the work on to a conversation that begins anew: a summary of the old one, questions that it leaves open for
 * somebody who has read only it, and the old one's answers to them. Where that does not fit: a short summary of what the
 * screen shows; where that does not either: the screen.
 */
export async function handOver(work: HandingOn): Promise<Handover> {
  const talks = new Talks(work);
  const answered = await unlessTooLong(() => byQuestions(work, talks));
  if (answered !== undefined) return { messages: answered, subagents: talks.held };
  const { task, screen } = work;
  const system = work.messages.slice(0, 1);
  const shown = screen.slice(-shortScreenChars).toWellFormed();
  const short = await unlessTooLong(() => talks.hold("short", [...system, user(shortPrompt(task, shown))]));
  const restart = restartPrompt(task, short?.text, shown);
  return { messages: [...system, user(restart)], subagents: talks.held };
}

async function byQuestions(work: HandingOn, talks: Talks): Promise<ChatMessage[] | undefined> {
  const { task, screen, messages } = work;
  const summed = await summarise(work, talks);
  if (summed === undefined) return undefined;
  const questioning = [...messages.slice(0, 1), user(questionsPrompt(task, summed.answer.text, screen))];
  const questions = await talks.hold("questions", questioning);
  if (questions === undefined) return undefined;
  const asking = [...summed.asked, assistantMessage(summed.answer), user(answersPrompt(questions.text))];
  const answers = await talks.hold("answers", asking);
  if (answers === undefined) return undefined;
  return [...questioning, assistantMessage(questions), user(goOnPrompt(answers.text, screen))];
}

/** Asks for a summary of the conversation, or of as much of its beginning as fits. */
async function summarise(
  { messages, head }: HandingOn,
  talks: Talks,
): Promise<{ asked: ChatMessage[]; answer: ModelAnswer } | undefined> {
  let kept = messages;
  for (let halving = 0; halving <= maxHalvings; halving += 1) {
    const asked = withWords(kept, summaryPrompt);
    const answer = await unlessTooLong(() => talks.hold("summary", asked));
    if (answer !== undefined) return { asked, answer };
    const turns = turnsOf(kept, head);
    if (turns === 0) return undefined;
    kept = withoutLastTurns(kept, head, Math.ceil(turns / 2));
  }
  return undefined;
}

/** What `ask` gives; `undefined` where the conversation is too long for the model. */
async function unlessTooLong<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isContextLimit(error)) return undefined;
    throw error;
  }
}

/** The conversation with more of the user's words at its end, in the same message: some models want turns to alternate. */
function withWords(messages: readonly ChatMessage[], words: string): ChatMessage[] {
  const last = messages.at(-1);
  if (last?.role !== "user") return [...messages, user(words)];
  return [...messages.slice(0, -1), user(`${last.content}\n\n${words}`)];
}

function user(content: string): ChatMessage {
  return { role: "user", content };
}

/** Conversations of one answer each, kept as trajectories of subagents. */
class Talks {
  readonly held: Trajectory[] = [];
  readonly #work: HandingOn;

  constructor(work: HandingOn) {
    this.#work = work;
  }

  /** The model's answer; `undefined` when it said nothing. */
  async hold(kind: string, messages: readonly ChatMessage[]): Promise<ModelAnswer | undefined> {
    const { model, signal, clock, version, number } = this.#work;
    const answer = await model.complete({ messages, tools: [], signal });
    const agent = { name: `terminus-${kind}`, version, model_name: model.model };
    const trajectory = new TrajectoryBuilder(agent, clock);
    trajectory.addContext(messages);
    trajectory.add(answerStep(answer));
    this.held.push({ ...trajectory.build(), trajectory_id: `summary-${number}-${kind}` });
    return answer.text.trim() === "" ? undefined : answer;
  }
}
