import { createHash } from "node:crypto";
import { objectKeys } from "../../keys.ts";
import { collect } from "../../streams.ts";
import { artifactReference, VALUE_TYPE } from "./artifact.ts";
import { DataUrlCheck, decodeDataUrl, SHORT_DATA_URL } from "./data-url.ts";
import { type ArtifactStore, Spool } from "./spool.ts";

/** A value whose JSON text has more characters moves out of its row. */
export const LONG_VALUE = 1024 * 1024;

/** Stores a finished spool's JSON text. @returns the reference. */
export async function storeValue(spool: Spool, store: ArtifactStore): Promise<string> {
  return storeBytes(spool, VALUE_TYPE, () => spool.chunks(), store);
}

async function storeBytes(
  spool: Spool,
  mediaType: string,
  bytes: () => AsyncIterable<Uint8Array>,
  { objects }: ArtifactStore,
): Promise<string> {
  const held = spool.inMemory ? await collect(bytes()) : undefined;
  const hash = createHash("sha256");
  for await (const chunk of held === undefined ? bytes() : [held]) hash.update(chunk);
  const sha256 = hash.digest("hex");
  const key = objectKeys.artifact(sha256);
  // Most artifacts of a later ingest are there already: a look costs less than sending them again.
  if ((await objects.head(key)) === undefined) await objects.putIfAbsent(key, held ?? bytes());
  return artifactReference({ sha256, mediaType });
}

/** A string of an answer while it arrives, once it is too long to be an ordinary one. */
export class LongString {
  readonly spool: Spool;
  readonly #store: ArtifactStore;
  readonly #check = new DataUrlCheck();

  constructor(store: ArtifactStore) {
    this.#store = store;
    this.spool = new Spool(store);
    this.spool.write('"');
  }

  /** @param piece with its surrogate pairs whole. */
  take(piece: string): void {
    this.#check.take(piece);
    this.spool.write(escaped(piece));
  }

  /** The JSON text to put in its place: a reference, or the string itself. */
  async end(): Promise<string> {
    this.spool.write('"');
    const { spool } = this;
    await spool.end();
    const url = spool.length > SHORT_DATA_URL ? this.#check.end() : undefined;
    if (url === undefined && spool.length <= LONG_VALUE) return spool.text;
    const reference =
      url === undefined
        ? await storeValue(spool, this.#store)
        : await storeBytes(
            spool,
            url.mediaType,
            () => decodeDataUrl(spool.chunks(), url.length),
            this.#store,
          );
    await spool.discard();
    return JSON.stringify(reference);
  }
}

/** Text as it stands between the quotes of a JSON string. */
export function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
