import * as z from "zod";
import { isTracemillError, messageOf, TracemillError } from "../../errors.ts";
import { objectKeys } from "../../keys.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ChatMessage, ModelAnswer, ModelClient } from "../../ports/model-client.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { taskName } from "../../prepare/task-name.ts";
import { findStored } from "../../stored-json.ts";
import type { RunBudget } from "../../trial/budget.ts";
import { type LabelOutcome, type MissingLabel, SemanticLabel } from "./label.ts";
import { askAgain, type LabelPage, labelKey, labelMessages, readLabel } from "./prompt.ts";

/** `labels/<model>/<sha256>.json`. */
export const StoredLabel = z.strictObject({
  schemaVersion: z.literal(1),
  model: z.string(),
  label: SemanticLabel,
});

export interface LabelerDeps {
  model: ModelClient;
  objects: Pick<ObjectStore, "get" | "putIfAbsent">;
  clock: Pick<Clock, "now">;
  /** What all labels together may use. Requests that are under way when it is used up are finished. */
  budget: RunBudget;
  signal: AbortSignal;
}

/** When the model fails this many times in a row, it is not asked any more. */
const mostFailures = 5;

/** Characters to a token, for servers that do not count. */
const charactersPerToken = 4;

/**
 * Labels pages by a model: each page once, whatever asks for it. A label is stored under the hash of what it was made
 * of; a failure is not stored, so that a later run tries again.
 */
export class PageLabeler {
  /** Labels that the model was asked for, and labels that were there. */
  readonly counts = { asked: 0, stored: 0 };
  readonly #deps: LabelerDeps;
  readonly #underWay = new Map<string, Promise<LabelOutcome>>();
  #failures = 0;

  constructor(deps: LabelerDeps) {
    this.#deps = deps;
  }

  get model(): string {
    return this.#deps.model.model;
  }

  /** @throws TracemillError `cancelled`, `storage-corrupt`, and what the store throws. */
  async label(page: LabelPage): Promise<LabelOutcome> {
    const key = objectKeys.label(taskName(this.model), labelKey(page));
    const underWay = this.#underWay.get(key) ?? this.#findOrAsk(key, page);
    this.#underWay.set(key, underWay);
    try {
      return await underWay;
    } finally {
      this.#underWay.delete(key);
    }
  }

  async #findOrAsk(key: string, page: LabelPage): Promise<LabelOutcome> {
    const stored = await findStored(this.#deps.objects, key, StoredLabel);
    if (stored !== undefined) {
      this.counts.stored += 1;
      return { status: "labelled", label: stored.label };
    }
    const outcome = await this.#ask(page);
    if (outcome.status === "labelled") {
      const record = StoredLabel.parse({ schemaVersion: 1, model: this.model, label: outcome.label });
      await this.#deps.objects.putIfAbsent(key, Buffer.from(`${JSON.stringify(record)}\n`));
    }
    return outcome;
  }

  /** Asks once, and once more where the answer is no label. */
  async #ask(page: LabelPage): Promise<LabelOutcome> {
    const messages = labelMessages(page);
    let problem = "";
    for (const _ of ["first", "again"]) {
      const reply = await this.#complete(messages);
      if ("reason" in reply) return missing(reply.reason, reply.message);
      const { answer } = reply;
      if (answer.finish === "refusal") return missing("refused", answer.text);
      const read = readLabel(answer.text);
      if ("label" in read) return { status: "labelled", label: read.label };
      problem = read.problem;
      messages.push(...askAgain(answer.text, problem));
    }
    return missing("invalid-answer", problem);
  }

  async #complete(
    messages: readonly ChatMessage[],
  ): Promise<{ answer: ModelAnswer } | { reason: MissingLabel; message: string }> {
    const { model, budget, clock, signal } = this.#deps;
    if (signal.aborted)
      throw new TracemillError("cancelled", "labelling was stopped; labels so far are stored");
    if (budget.exceeded(clock.now()) !== undefined) {
      return { reason: "budget-exceeded", message: "the budget for labels is used up" };
    }
    if (this.#failures >= mostFailures) {
      return {
        reason: "model-failed",
        message: `not asked: the model failed ${mostFailures} times in a row`,
      };
    }
    try {
      this.counts.asked += 1;
      const answer = await model.complete({ messages, tools: [], signal });
      this.#failures = 0;
      budget.add(answer.usage ?? estimate(messages, answer));
      return { answer };
    } catch (error) {
      if (!isTracemillError(error, "model-failed", "budget-exceeded")) throw error;
      this.#failures += 1;
      const reason = error.code === "budget-exceeded" ? "budget-exceeded" : "model-failed";
      return { reason, message: messageOf(error) };
    }
  }
}

function estimate(messages: readonly ChatMessage[], { text }: ModelAnswer) {
  const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
  return {
    promptTokens: Math.ceil(characters / charactersPerToken),
    completionTokens: Math.ceil(text.length / charactersPerToken),
    cachedTokens: 0,
  };
}

function missing(reason: MissingLabel, message: string): LabelOutcome {
  return { status: "missing", reason, message: message.slice(0, 500) };
}
