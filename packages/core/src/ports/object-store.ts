/**
 * Immutable objects under `/`-separated keys: S3 in the cloud, a directory on one machine.
 * Keys are the same in both homes. Contract suite: `test/contract/object-store.ts`.
 */
export interface ObjectInfo {
  key: string;
  /** Bytes. */
  size: number;
}

export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface GetOptions {
  /** Inclusive start and exclusive end, in bytes. */
  range?: { start: number; end?: number };
}

export interface ObjectStore {
  /**
   * Writes the object whole, or not at all, unless the key exists.
   * @returns `created: false` when the key was there already; the stored object is then untouched.
   * @throws TracemillError `storage-full`, `storage-failed`, `invalid-input` (bad key).
   */
  putIfAbsent(key: string, body: ObjectBody): Promise<{ created: boolean }>;
  /** Writes the object whole, or not at all, replacing what was there. */
  put(key: string, body: ObjectBody): Promise<void>;
  /** Streams the object; `undefined` when absent. */
  get(key: string, options?: GetOptions): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** The object's size, or `undefined` when absent. */
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Keys that start with `prefix`, in ascending UTF-8 byte order. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Deletes the object; silent when absent. */
  delete(key: string): Promise<void>;
}
