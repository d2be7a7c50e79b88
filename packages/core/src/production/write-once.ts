import { TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import type { ProductionClient } from "../ingest/client.ts";
import { isObject, parsePlain } from "../ingest/json.ts";
import type { UploadFile } from "../ingest/request.ts";
import { canonicalJson } from "../run/spec.ts";
import { declareIntent, type IntentDeps, type WriteRecord } from "./write-record.ts";

export interface Write {
  kind: WriteRecord["kind"];
  key: string;
  path: string;
  body: Record<string, unknown>;
  /** Sent beside the body, which makes it a multipart request. */
  files?: readonly UploadFile[];
  /** Refusals that `idIn` knows how to read. */
  expected?: readonly number[];
  /** Finds in the API what this write makes, once it has been made. */
  look(): Promise<Record<string, unknown> | undefined>;
  /** The id in an answer or in what `look` found. @throws TracemillError `conflict` for a refusal among `expected`. */
  idIn(body: unknown, status: number): string | undefined | Promise<string | undefined>;
}

export interface WriteDeps extends IntentDeps {
  client: ProductionClient;
}

export interface Written {
  id: string;
  /** True when an earlier attempt or process had made it. */
  before: boolean;
}

/** The field by which a write can be found again, where the API keeps fields that it does not know. */
export const REFERENCE_FIELD = "client_ref";

/** Waits between looks, in milliseconds: an API may list what it took only after a moment. */
const SETTLE_MS = [0, 1_000, 2_000];

/** A key that the same content for the same API has in every process: `tm-` and 40 hex digits. */
export function writeKey({ client, source }: WriteDeps, ...content: readonly string[]): string {
  return `tm-${sha256Hex(JSON.stringify([source, client.baseUrl, ...content])).slice(0, 40)}`;
}

/**
 * Sends a write so that it takes effect once, whatever is cut, repeated or killed: its intent is stored first,
 * every attempt has the same `Idempotency-Key`, and before any repeat the API is asked whether it has it already.
 * @throws TracemillError `conflict`, and as `Requester.send`.
 */
export async function writeOnce(write: Write, deps: WriteDeps): Promise<Written> {
  const bytes = (write.files ?? []).reduce((sum, { blob }) => sum + blob.size, 0);
  const intent = await declareIntent(write, bytes, deps);
  if (intent.id !== undefined) return { id: intent.id, before: true };
  try {
    const written = (intent.repeated ? await lookFor(write, deps) : undefined) ?? (await send(write, deps));
    await intent.finish(written.id);
    return written;
  } catch (error) {
    await intent.release();
    throw error;
  }
}

/** What the API has of a write, though nobody heard its answer. */
async function lookFor(
  write: Write,
  deps: Pick<WriteDeps, "clock" | "signal">,
): Promise<Written | undefined> {
  const there = await settledLook(write, deps);
  const id = there === undefined ? undefined : await write.idIn(there, 200);
  return id === undefined ? undefined : { id, before: true };
}

async function send(write: Write, deps: WriteDeps): Promise<Written> {
  let before = false;
  const beforeRepeat = async (): Promise<Record<string, unknown> | undefined> => {
    const there = await settledLook(write, deps);
    before ||= there !== undefined;
    return there;
  };
  const { path, key, body, kind, files = [], expected } = write;
  const answer = await deps.client.post(
    path,
    { ...body, [REFERENCE_FIELD]: key },
    {
      key,
      beforeRepeat,
      ...(files.length === 0 ? {} : { form: { field: kind, files } }),
      ...(expected && { expected }),
    },
  );
  const id = await write.idIn(answer.body, answer.status);
  const written = id === undefined ? await lookFor(write, deps) : { id, before };
  if (written !== undefined) return { ...written, before };
  throw new TracemillError(
    "source-protocol",
    `POST ${path}: the API took it and names no id, nor does it list what it took; look there before you repeat it`,
  );
}

async function settledLook(
  write: Write,
  { clock, signal }: Pick<WriteDeps, "clock" | "signal">,
): Promise<Record<string, unknown> | undefined> {
  for (const pause of SETTLE_MS) {
    if (pause > 0) await clock.sleep(pause, signal);
    const there = await write.look();
    if (there !== undefined) return there;
  }
  return undefined;
}

/** Whether an entry of the API is what a write sent: by its reference, else by all fields that were sent. */
export function isWritten(entry: unknown, { key, body }: Pick<Write, "key" | "body">): boolean {
  if (!isObject(entry)) return false;
  const reference = referenceIn(entry);
  if (reference !== undefined) return reference === key;
  const sent = Object.entries(body);
  return sent.length > 0 && sent.every(([name, value]) => isSame(entry[name], value));
}

function referenceIn(entry: Record<string, unknown>): string | undefined {
  const places = [entry, entry.metadata, entry.meta].filter(isObject);
  const names = [REFERENCE_FIELD, "idempotency_key", "clientRef", "idempotencyKey"];
  return places
    .flatMap((place) => names.map((name) => place[name]))
    .find((value) => typeof value === "string" && value.startsWith("tm-")) as string | undefined;
}

/** Both may have their numbers kept as they were written (`parseExact`); an API may write them in another way. */
function isSame(listed: unknown, sent: unknown): boolean {
  return listed !== undefined && plainText(listed) === plainText(sent);
}

function plainText(value: unknown): string {
  return canonicalJson(parsePlain(JSON.stringify(value)));
}
