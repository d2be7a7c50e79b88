import { setTimeout as sleep } from "node:timers/promises";

/** Asks again and again until there is an answer. @throws when there is none in time. */
export async function until<T>(ask: () => Promise<T | undefined>, patienceMs = 60_000): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`no answer after ${patienceMs} ms`);
    await sleep(50);
  }
}
