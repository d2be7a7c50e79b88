import { Transform } from "node:stream";
import { parsedJson } from "@tracemill/core/protocols/stream-event.ts";

/**
 * A streamed Chat Completions answer says what it used only when asked for (`stream_options.include_usage`), in a last
 * chunk without choices. Here it is asked for, and the chunk kept from a client that did not ask.
 */

/** @returns the request that asks for usage; `undefined` where that is not wanted or known not to fit. */
export function askingForUsage(body: Buffer): Buffer | undefined {
  const text = body.toString("utf8");
  const asked = parsedJson(text);
  if (!isObject(asked) || asked.stream !== true) return undefined;
  const { stream_options: options } = asked;
  if (options === undefined) {
    // The rest stays letter by letter as the client wrote it: numbers too that JavaScript cannot hold.
    const [start = ""] = /^\s*\{/.exec(text) ?? [];
    return Buffer.from(`${start}"stream_options":{"include_usage":true},${text.slice(start.length)}`);
  }
  if (isObject(options) && options.include_usage === true) return undefined;
  const merged = { ...(isObject(options) ? options : {}), include_usage: true };
  return Buffer.from(JSON.stringify({ ...asked, stream_options: merged }));
}

/** A server whose events are larger does not send them for usage. */
const largestEvent = 1024 * 1024;

const empty = Buffer.alloc(0);

/** Lets a stream of events through, but the one that was asked for. Whole events go on at once. */
export function withoutExtraUsage(): Transform {
  let held: Buffer = empty;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (let end = eventEnd(held); end > 0; end = eventEnd(held)) {
        const event = held.subarray(0, end);
        held = held.subarray(end);
        if (!isExtraUsage(event)) this.push(event);
      }
      if (held.length > largestEvent) {
        this.push(held);
        held = empty;
      }
      done();
    },
    flush(done) {
      if (held.length > 0 && !isExtraUsage(held)) this.push(held);
      done();
    },
  });
}

/** Where the first event ends, behind its empty line; 0 when it is not whole. */
function eventEnd(bytes: Buffer): number {
  const ends = ["\n\n", "\r\n\r\n"].map((mark) => {
    const at = bytes.indexOf(mark, 0, "latin1");
    return at < 0 ? Number.POSITIVE_INFINITY : at + mark.length;
  });
  const first = Math.min(...ends);
  return Number.isFinite(first) ? first : 0;
}

function isExtraUsage(event: Buffer): boolean {
  const text = event.toString("utf8");
  if (!/"choices"\s*:\s*\[\s*\]/.test(text)) return false;
  const data = text.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []));
  const chunk = parsedJson(data.join("\n"));
  return (
    isObject(chunk) && Array.isArray(chunk.choices) && chunk.choices.length === 0 && isObject(chunk.usage)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
