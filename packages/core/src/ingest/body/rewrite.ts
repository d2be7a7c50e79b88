import { jsonParser, type Token } from "stream-json/core/parser.js";
import { messageOf } from "../../errors.ts";
import { SHORT_DATA_URL } from "./data-url.ts";
import { AnswerTooLarge, MOST_DEPTH, MOST_TEXT, TooDeep } from "./limits.ts";
import { type ArtifactStore, Spool } from "./spool.ts";
import { escaped, LONG_VALUE, LongString, storeValue } from "./store-artifact.ts";

/** Tells the tokenizer that the text is over: what stream-chain calls `none`. */
const END = Symbol.for("object-stream.none");

/** Keys that lead from an answer to the tasks or solutions in it; any other key there, and every key of these, is a field. */
const ENVELOPE_KEYS = new Set([
  "results",
  "items",
  "data",
  "tasks",
  "solutions",
  "task",
  "solution",
  "result",
]);

/** A field that every reader of a row asks for; an evaluation is small but for the strings in it. */
const KEPT_KEY = "evaluation";

/** An open object or list. */
interface Frame {
  kind: "{" | "[";
  /** Part of the answer's envelope, a task or solution (or what may be one), or something inside of one. */
  role: "envelope" | "record" | "inner";
  /** Members so far. */
  members: number;
  /** The JSON text of the key whose value comes next. */
  key: string;
  /** References to the fields that were moved, as JSON members. */
  moved: string[];
}

/** A list or object in a field, until its length is known. */
interface Field {
  /** Open frames around it. */
  depth: number;
  spool: Spool;
}

/**
 * JSON text in, as it arrives; the same JSON with long values moved out: see `readBody`. Text that is not
 * JSON throws an `Error` with the tokenizer's words.
 */
export class JsonRewriter {
  readonly #store: ArtifactStore;
  readonly #tokenize = jsonParser({ packValues: false }) as unknown as (
    input: string | symbol,
  ) => { values: Token[] } | symbol;
  readonly #frames: Frame[] = [];
  #out: string[] = [];
  #length = 0;
  #field: Field | undefined;
  #string: LongString | undefined;
  /** Pieces of the string or key that is open. */
  #pieces: string[] = [];
  #piecesLength = 0;
  #inKey = false;

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  async take(text: string | typeof END): Promise<void> {
    for (const token of this.#tokensOf(text)) {
      const storing = this.#takeToken(token);
      if (storing !== undefined) await storing;
    }
    await this.#field?.spool.drain();
    await this.#string?.spool.drain();
  }

  /** @returns the text that is left. */
  async end(): Promise<string> {
    await this.take(END);
    if (this.#frames.length > 0) throw notWhole("it ends in the middle");
    return this.#out.join("");
  }

  /** Leaves nothing behind of what was under way. */
  async discard(): Promise<void> {
    await this.#string?.spool.discard();
    await this.#field?.spool.discard();
  }

  #tokensOf(text: string | typeof END): readonly Token[] {
    try {
      const tokens = this.#tokenize(text);
      return typeof tokens === "symbol" ? [] : tokens.values;
    } catch (error) {
      throw notWhole(messageOf(error));
    }
  }

  #takeToken(token: Token): Promise<void> | undefined {
    switch (token.name) {
      case "startObject":
        return this.#open("{");
      case "startArray":
        return this.#open("[");
      case "endObject":
      case "endArray":
        return this.#close();
      case "startKey":
        this.#inKey = true;
        return undefined;
      case "endKey":
        return this.#endKey();
      case "startString":
      case "startNumber":
        return this.#begin();
      case "stringChunk":
        return this.#takePiece(token.value);
      case "endString":
        return this.#endString();
      case "numberChunk":
        return this.#write(token.value);
      case "nullValue":
      case "trueValue":
      case "falseValue":
        this.#begin();
        return this.#write(String(token.value));
      default:
        return undefined;
    }
  }

  /** What goes before a value: a comma, a key. */
  #begin(): undefined {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return;
    this.#write((frame.members === 0 ? "" : ",") + frame.key);
    frame.members += 1;
  }

  #write(text: string): undefined {
    if (this.#field !== undefined) {
      this.#field.spool.write(text);
      return;
    }
    this.#out.push(text);
    this.#length += text.length;
    if (this.#length > MOST_TEXT) throw new AnswerTooLarge();
  }

  #open(kind: Frame["kind"]): undefined {
    const parent = this.#frames.at(-1);
    const depth = this.#frames.length;
    if (depth >= MOST_DEPTH) throw new TooDeep();
    const role = roleOf(kind, parent);
    if (role === "inner" && parent !== undefined && isField(parent)) {
      this.#field = { depth, spool: new Spool(this.#store) };
    } else this.#begin();
    this.#write(kind);
    this.#frames.push({ kind, role, members: 0, key: "", moved: [] });
  }

  #close(): Promise<void> | undefined {
    const frame = this.#frames.pop();
    if (frame === undefined) return undefined;
    if (frame.moved.length > 0) {
      this.#write(`${frame.members === 0 ? "" : ","}"moved_fields":{${frame.moved.join(",")}}`);
    }
    this.#write(frame.kind === "{" ? "}" : "]");
    const field = this.#field;
    return field !== undefined && field.depth === this.#frames.length ? this.#endField(field) : undefined;
  }

  async #endField({ spool }: Field): Promise<void> {
    const frame = this.#frames.at(-1);
    if (spool.length <= LONG_VALUE || frame === undefined) {
      this.#field = undefined;
      this.#begin();
      this.#write(spool.text);
      return;
    }
    await spool.end();
    const reference = await storeValue(spool, this.#store);
    await spool.discard();
    this.#field = undefined;
    frame.moved.push(frame.key + JSON.stringify(reference));
  }

  #takePiece(piece: string): undefined {
    if (this.#string !== undefined) {
      this.#string.take(piece);
      return;
    }
    this.#pieces.push(piece);
    this.#piecesLength += piece.length;
    if (this.#inKey) {
      if (this.#piecesLength > LONG_VALUE) throw new AnswerTooLarge();
    } else if (this.#piecesLength > SHORT_DATA_URL) {
      this.#string = new LongString(this.#store);
      this.#string.take(this.#takePieces());
    }
  }

  #takePieces(): string {
    const text = this.#pieces.length === 1 ? (this.#pieces[0] ?? "") : this.#pieces.join("");
    this.#pieces = [];
    this.#piecesLength = 0;
    return text;
  }

  #endKey(): undefined {
    this.#inKey = false;
    const frame = this.#frames.at(-1);
    if (frame !== undefined) frame.key = `${JSON.stringify(this.#takePieces())}:`;
  }

  #endString(): Promise<void> | undefined {
    if (this.#string !== undefined) return this.#endLongString(this.#string);
    return this.#write(`"${escaped(this.#takePieces())}"`);
  }

  async #endLongString(string: LongString): Promise<void> {
    const text = await string.end();
    this.#string = undefined;
    this.#write(text);
  }
}

function notWhole(why: string): Error {
  return new Error(`the answer is not whole JSON (${why})`);
}

function roleOf(kind: Frame["kind"], parent: Frame | undefined): Frame["role"] {
  if (parent === undefined) return "envelope";
  if (parent.role !== "envelope") return "inner";
  if (parent.kind === "[") return kind === "{" ? "record" : "inner";
  return ENVELOPE_KEYS.has(keyOf(parent)) ? "envelope" : "inner";
}

/** Whether a list or object that comes next in an object may leave it. */
function isField(parent: Frame): boolean {
  return parent.kind === "{" && parent.role !== "inner" && keyOf(parent) !== KEPT_KEY;
}

function keyOf({ key }: Frame): string {
  return JSON.parse(key.slice(0, -1)) as string;
}
