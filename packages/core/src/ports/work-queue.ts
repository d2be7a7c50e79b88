/**
 * Messages that somebody has to act on, at least once each: SQS in the cloud. A message that is not acknowledged
 * comes back; one that came back too often goes to the queue's dead letters.
 * Contract suite: `test/contract/work-queue.ts`.
 */
export interface QueueMessage {
  id: string;
  /** JSON, as it was sent. */
  body: unknown;
  /** How often it was handed out, this time included. */
  receiveCount: number;
  /** Removes it. Silent when it was removed before. */
  acknowledge(): Promise<void>;
  /** Hands it out again after that time. */
  release(delayMs?: number): Promise<void>;
}

export interface WorkQueue {
  /** @param body JSON of at most 256 KiB. @throws TracemillError `invalid-input` beyond it, `storage-failed`. */
  send(body: unknown, options?: { delayMs?: number }): Promise<void>;
  /** At most `max` (1 to 10) messages; waits up to `waitMs` for the first one. Order is not promised. */
  receive(options: { max: number; waitMs: number; signal?: AbortSignal }): Promise<QueueMessage[]>;
}
