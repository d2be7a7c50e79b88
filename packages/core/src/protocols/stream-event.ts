import { TracemillError } from "../errors.ts";

/** One event of a streamed answer. */
export interface StreamEvent {
  /** The event's name, where it has one. */
  event?: string;
  /** JSON parsed; other text (`[DONE]`) as it came. */
  data: unknown;
}

/** Takes a stream's bytes in whatever pieces they come, and gives its events. */
export interface StreamParser {
  /** @throws TracemillError `model-failed` (retryable) for what is no such stream, or an event above the limit. */
  push(chunk: Uint8Array): StreamEvent[];
  /** The event that the end of the stream completes, if any. @throws as `push`. */
  end(): StreamEvent[];
}

/** Of one event. An image of 10 MB in base64 fits; what is larger is no model's answer. */
export const maxEventBytes = 16 * 1024 * 1024;

export function streamError(what: string): TracemillError {
  return new TracemillError("model-failed", `the streamed answer ${what}`, { retryable: true });
}

export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
