import { crc32 } from "node:zlib";
import {
  maxEventBytes,
  parsedJson,
  type StreamEvent,
  type StreamParser,
  streamError,
} from "./stream-event.ts";

/** Two lengths and their checksum before the headers; the checksum of all after the payload. */
const preludeBytes = 12;
const overheadBytes = preludeBytes + 4;

/** Header types of fixed size, by the number that names them: true, false, byte, short, int, long, then timestamp, UUID. */
const fixedSizes: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };

/**
 * Amazon's `application/vnd.amazon.eventstream`, as Bedrock streams answers
 * (docs.aws.amazon.com/transcribe/latest/dg/event-stream.html describes the frames). Each event's data are
 * `{ [event's name]: payload }`, the form that the AWS SDK has too, so that recorded data say what they are.
 */
export function eventStreamParser(limit = maxEventBytes): StreamParser {
  let held: Uint8Array[] = [];
  let size = 0;
  let wanted = preludeBytes;
  const push = (chunk: Uint8Array): StreamEvent[] => {
    held.push(chunk);
    size += chunk.length;
    if (size < wanted) return [];
    const { events, rest, next } = takeFrames(joined(held, size), limit);
    held = rest.length === 0 ? [] : [rest];
    size = rest.length;
    wanted = next;
    return events;
  };
  return {
    push,
    end: () => {
      if (size > 0) throw streamError("ends inside an event");
      return [];
    },
  };
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** All whole frames; `next`: how many bytes the following frame needs, as far as it is known. */
function takeFrames(
  bytes: Uint8Array,
  limit: number,
): { events: StreamEvent[]; rest: Uint8Array; next: number } {
  const events: StreamEvent[] = [];
  let at = 0;
  for (;;) {
    const rest = bytes.subarray(at);
    if (rest.length < preludeBytes) return { events, rest, next: preludeBytes };
    const length = frameLength(rest, limit);
    if (rest.length < length) return { events, rest, next: length };
    events.push(readFrame(rest.subarray(0, length)));
    at += length;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function frameLength(bytes: Uint8Array, limit: number): number {
  const view = viewOf(bytes);
  if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) throw streamError("is no event stream of AWS");
  const length = view.getUint32(0);
  if (length > limit) throw streamError(`has an event of more than ${limit} bytes`);
  if (length < overheadBytes + view.getUint32(4)) throw streamError("has an event whose lengths do not fit");
  return length;
}

function readFrame(frame: Uint8Array): StreamEvent {
  const view = viewOf(frame);
  if (crc32(frame.subarray(0, -4)) !== view.getUint32(frame.length - 4)) {
    throw streamError("has an event with a wrong checksum");
  }
  const payloadAt = preludeBytes + view.getUint32(4);
  const headers = readHeaders(frame.subarray(preludeBytes, payloadAt));
  const payload = new TextDecoder().decode(frame.subarray(payloadAt, -4));
  const event =
    headers.get(":event-type") ?? headers.get(":exception-type") ?? headers.get(":error-code") ?? "";
  const data = payload === "" ? { message: headers.get(":error-message") ?? "" } : parsedJson(payload);
  return { event, data: { [event]: data } };
}

/** The headers that are text. */
function readHeaders(bytes: Uint8Array): Map<string, string> {
  const headers = new Map<string, string>();
  const view = viewOf(bytes);
  const decoder = new TextDecoder();
  const slice = (from: number, length: number): Uint8Array => {
    if (from + length > bytes.length) throw streamError("has an event with broken headers");
    return bytes.subarray(from, from + length);
  };
  for (let at = 0; at < bytes.length; ) {
    const nameBytes = slice(at + 1, view.getUint8(at));
    const typeAt = at + 1 + nameBytes.length;
    const [type = -1] = slice(typeAt, 1);
    const fixed = fixedSizes[type];
    if (fixed !== undefined) {
      at = typeAt + 1 + fixed;
      continue;
    }
    slice(typeAt + 1, 2);
    const value = slice(typeAt + 3, view.getUint16(typeAt + 1));
    headers.set(decoder.decode(nameBytes), decoder.decode(value));
    at = typeAt + 3 + value.length;
  }
  return headers;
}
