/**
 * Small JSON records under a partition and a sort key, with optimistic concurrency: DynamoDB (single table)
 * in the cloud, SQLite on one machine. Contract suite: `test/contract/record-store.ts`.
 */
export interface RecordKey {
  /** Partition, for example `run#run_01J…`. */
  pk: string;
  /** Sort key inside the partition, for example `trial#…`. */
  sk: string;
}

export interface StoredRecord<T = unknown> extends RecordKey {
  /** Starts at 1 and grows by 1 with each write. */
  version: number;
  data: T;
}

/** What must hold for a write: nothing there yet, exactly this version there, or anything. */
export type WriteCondition = "absent" | "any" | { version: number };

export interface QueryOptions {
  /** Only sort keys that start with this. */
  prefix?: string;
  /** Only sort keys strictly greater than this. */
  after?: string;
  /** Stop after this many records. */
  limit?: number;
  reverse?: boolean;
}

export interface RecordStore {
  get(key: RecordKey): Promise<StoredRecord | undefined>;
  /**
   * @returns the new version, or `undefined` when the condition did not hold (nothing was written).
   * @throws TracemillError `storage-full`, `storage-failed`, `store-newer`.
   */
  put(key: RecordKey, data: unknown, condition: WriteCondition): Promise<number | undefined>;
  /** @returns false when the condition did not hold. */
  delete(key: RecordKey, condition: WriteCondition): Promise<boolean>;
  /** Records of one partition in ascending sort-key order; pages internally. */
  query(pk: string, options?: QueryOptions): AsyncIterable<StoredRecord>;
}
