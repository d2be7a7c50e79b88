import { TracemillError } from "../../errors.ts";
import { BodyText } from "./body-text.ts";
import { AnswerTooLarge, assertNesting, MOST_DEPTH, MOST_TEXT, TooDeep } from "./limits.ts";
import { JsonRewriter } from "./rewrite.ts";
import type { ArtifactStore } from "./spool.ts";

/** Answers up to this many characters are read whole and parsed in one go: nearly all are, and it is five times faster. */
const SMALL_BODY = 1024 * 1024;
/** What the tokenizer gets at a time, in characters: it makes a few objects for every value in it. */
const SLICE = 64 * 1024;

export interface BodyDeps {
  /** Where long values go; without it they stay in the text. */
  artifacts?: ArtifactStore | undefined;
  /** Told of every MiB that arrives. */
  onProgress?: (() => void) | undefined;
}

/**
 * Reads an answer as JSON text, in memory that does not grow with it: base64 data URLs of 4 KiB and more, strings of
 * more than 1 MiB, and lists and objects of more than 1 MiB in a field of a task or solution are stored as they arrive.
 * A string leaves a reference in its place (`ArtifactReference`); a field leaves its record, which then names it with
 * its reference in `moved_fields`. Nothing else changes; numbers stay as they were written. What comes out does not
 * depend on how the answer was cut into pages or chunks.
 * Of an answer that is no success only the first MiB is read.
 * @param what the request, for messages.
 * @throws TracemillError `source-protocol` (nested too deep, too large for memory), `storage-*`;
 *   an `Error` when the connection breaks or the text is not JSON.
 */
export async function readBody(response: Response, what: string, deps: BodyDeps = {}): Promise<string> {
  try {
    return await read(response, deps);
  } catch (error) {
    if (error instanceof TooDeep) {
      throw new TracemillError(
        "source-protocol",
        `${what}: the answer nests more than ${MOST_DEPTH} levels deep`,
      );
    }
    if (error instanceof AnswerTooLarge) {
      throw new TracemillError(
        "source-protocol",
        `${what}: the answer does not fit into memory (${MOST_TEXT / 1024 ** 2} MiB); ask for smaller pages ` +
          "(--task-page-size, --solution-page-size), and ingest into the store rather than into a file",
      );
    }
    throw error;
  }
}

async function read(response: Response, deps: BodyDeps): Promise<string> {
  const body = new BodyText(response, deps.onProgress);
  const start = await body.upTo(SMALL_BODY);
  if (!response.ok) {
    await body.cancel();
    return start;
  }
  if (deps.artifacts === undefined) {
    const text = start + (await body.upTo(MOST_TEXT));
    if (!body.done) throw new AnswerTooLarge();
    assertNesting(text);
    return text;
  }
  // No value in a small one is long, so that it does not matter which way an answer is read.
  if (!body.done || start.length > SMALL_BODY || start.includes('"data:'))
    return rewrite(start, body, deps.artifacts);
  assertNesting(start);
  return start;
}

async function rewrite(start: string, body: BodyText, artifacts: ArtifactStore): Promise<string> {
  const rewriter = new JsonRewriter(artifacts);
  try {
    for (let at = 0; at < start.length; at += SLICE) await rewriter.take(start.slice(at, at + SLICE));
    while (!body.done) await rewriter.take(await body.upTo(SLICE));
    return await rewriter.end();
  } catch (error) {
    await rewriter.discard();
    await body.cancel();
    throw error;
  }
}
