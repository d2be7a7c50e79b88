import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { TracemillError } from "../../errors.ts";
import { objectKeys } from "../../keys.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/** Where long values of answers go. */
export interface ArtifactStore {
  objects: Pick<ObjectStore, "get" | "head" | "put" | "putIfAbsent" | "delete" | "list">;
  /** Of the ingest: what is under construction lies under its name, and its next ingest removes what a kill left. */
  source: string;
}

/** Up to this many characters stay in memory: nearly every screenshot, so that it costs one object and no copy. */
const MOST_IN_MEMORY = 4 * 1024 * 1024;
/** Pieces are joined to about this many characters before they are encoded. */
const CHUNK = 64 * 1024;

/**
 * JSON text whose length nobody knows yet: in memory at first, in an object of its own from 4 MiB on. It is written
 * once and may then be read several times, since its hash has to be known before it gets its name.
 */
export class Spool {
  /** Characters so far. */
  length = 0;
  readonly #store: ArtifactStore;
  #pieces: string[] = [];
  #pending = 0;
  #object: { key: string; pipe: PassThrough; stored: Promise<void> } | undefined;

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  write(text: string): void {
    this.length += text.length;
    this.#pieces.push(text);
    this.#pending += text.length;
    if (this.#object !== undefined ? this.#pending >= CHUNK : this.length > MOST_IN_MEMORY) this.#push();
  }

  /** Resolves when the store has kept up. @throws TracemillError `storage-*`. */
  async drain(): Promise<void> {
    if (this.#object === undefined) return;
    const { pipe, stored } = this.#object;
    if (pipe.destroyed) await stored;
    else if (pipe.writableNeedDrain) await Promise.race([once(pipe, "drain"), stored]);
  }

  /** After the last piece. @throws TracemillError `storage-*`. */
  async end(): Promise<void> {
    if (this.#object === undefined) return;
    this.#push();
    this.#object.pipe.end();
    await this.#object.stored;
  }

  /** Whether it never left memory. */
  get inMemory(): boolean {
    return this.#object === undefined;
  }

  /** The text, of one that is in memory. */
  get text(): string {
    return this.#pieces.join("");
  }

  /** The UTF-8 bytes; after `end`. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    if (this.#object === undefined) {
      yield Buffer.from(this.text);
      return;
    }
    const { key } = this.#object;
    const body = await this.#store.objects.get(key);
    if (body === undefined) {
      throw new TracemillError("conflict", `${key} is gone: another ingest of the source is at work`);
    }
    yield* body;
  }

  /** Forgets everything, whatever state it is in. */
  async discard(): Promise<void> {
    if (this.#object === undefined) return;
    const { key, pipe, stored } = this.#object;
    // Ends the put when it is under way: nothing is stored then.
    if (!pipe.writableEnded) pipe.destroy(new Error("the answer broke off"));
    const isStored = await stored.then(
      () => true,
      () => false,
    );
    if (isStored) await this.#store.objects.delete(key);
  }

  #push(): void {
    this.#object ??= this.#openObject();
    this.#object.pipe.write(Buffer.from(this.text));
    this.#pieces = [];
    this.#pending = 0;
  }

  #openObject(): { key: string; pipe: PassThrough; stored: Promise<void> } {
    const key = objectKeys.spool(this.#store.source, randomUUID());
    const pipe = new PassThrough({ highWaterMark: MOST_IN_MEMORY });
    // Its end is heard through the put; without a listener an error of it would end the process.
    pipe.on("error", () => undefined);
    const stored = this.#store.objects.put(key, pipe);
    stored.catch(() => undefined);
    return { key, pipe, stored };
  }
}

/** Removes what killed ingests of the source left under construction. */
export async function clearSpools({ objects, source }: ArtifactStore): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of objects.list(objectKeys.spool(source, ""))) keys.push(key);
  for (const key of keys) await objects.delete(key);
}
