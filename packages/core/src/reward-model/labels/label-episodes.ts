import { createHash } from "node:crypto";
import { pMapIterable } from "p-map";
import type { Scratch } from "../../ports/scratch.ts";
import { lines } from "../../streams.ts";
import type { Collected } from "../collected.ts";
import type { Episode } from "../episode.ts";
import { firstCodePoints } from "../iwa/python-text.ts";
import { pageContent } from "../page.ts";
import { excerptLength } from "../step-rows.ts";
import type { LabelOutcome, MissingLabel } from "./label.ts";
import type { PageLabeler } from "./labeler.ts";

export interface LabelledEpisodes extends AsyncDisposable {
  model: string;
  labelled: number;
  missing: Partial<Record<MissingLabel, number>>;
  /** The first message of each reason. */
  messages: Partial<Record<MissingLabel, string>>;
  /** SHA-256 over all labels, in the order of the episodes. */
  digest: string;
  /** The labels of each episode's steps, in the order of `Collected.read`. */
  read(): AsyncGenerator<LabelOutcome[]>;
}

interface LabelDeps {
  labeler: Pick<PageLabeler, "label" | "model">;
  scratch: Scratch;
  /** Episodes in work at once; the steps of one follow each other, so that equal pages are asked for once. */
  concurrency: number;
  /** Episodes so far. */
  onProgress?: ((episodes: number) => void) | undefined;
}

/** Labels every page of the episodes, into a scratch file. */
export async function labelEpisodes(
  collected: Pick<Collected, "read">,
  { labeler, scratch, concurrency, onProgress }: LabelDeps,
): Promise<LabelledEpisodes> {
  const spool = await scratch.create();
  try {
    const tally = new LabelTally();
    const digest = createHash("sha256");
    const work = pMapIterable(collected.read(), ({ episode }) => labelsOf(episode, labeler), { concurrency });
    let done = 0;
    for await (const outcomes of work) {
      for (const outcome of outcomes) tally.add(outcome);
      const line = `${JSON.stringify(outcomes.map(withoutMessage))}\n`;
      digest.update(line);
      await spool.write(line);
      done += 1;
      onProgress?.(done);
    }
    const { labelled, missing, messages } = tally;
    return {
      ...{ model: labeler.model, labelled, missing, messages, digest: digest.digest("hex") },
      async *read() {
        for await (const line of lines(spool.read())) yield JSON.parse(line) as LabelOutcome[];
      },
      [Symbol.asyncDispose]: async () => spool[Symbol.asyncDispose](),
    };
  } catch (error) {
    await spool[Symbol.asyncDispose]();
    throw error;
  }
}

async function labelsOf(
  { steps, instruction }: Episode,
  labeler: Pick<PageLabeler, "label">,
): Promise<LabelOutcome[]> {
  const outcomes: LabelOutcome[] = [];
  for (const { action_result: result } of steps) {
    const { current_html: html, current_url: url } = result.browser_snapshot;
    const text = firstCodePoints(pageContent(html).text, excerptLength);
    outcomes.push(
      html === ""
        ? { status: "missing", reason: "no-page" }
        : await labeler.label({ url, text, instruction }),
    );
  }
  return outcomes;
}

/** Messages of models and servers differ from run to run; a dataset's version must not. */
function withoutMessage(outcome: LabelOutcome): LabelOutcome {
  return outcome.status === "labelled" ? outcome : { status: "missing", reason: outcome.reason };
}

class LabelTally {
  labelled = 0;
  readonly missing: Partial<Record<MissingLabel, number>> = {};
  readonly messages: Partial<Record<MissingLabel, string>> = {};

  add(outcome: LabelOutcome): void {
    if (outcome.status === "labelled") {
      this.labelled += 1;
      return;
    }
    const { reason, message } = outcome;
    this.missing[reason] = (this.missing[reason] ?? 0) + 1;
    if (message !== undefined) this.messages[reason] ??= message;
  }
}
