import { TracemillError } from "../errors.ts";

/** The same items, until the signal is aborted. @throws TracemillError `cancelled` then. */
export async function* untilStopped<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    if (signal.aborted) throw new TracemillError("cancelled", "stopped on request; `--resume` goes on");
    yield item;
  }
}
