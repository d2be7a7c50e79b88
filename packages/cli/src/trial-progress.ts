import type { CliContext } from "./context.ts";

/** Says on stderr, at most once a second, how many trials are done: a log stays readable. */
export function trialProgress(
  what: string,
  { out, clock }: Pick<CliContext, "out" | "clock">,
): (done: number) => void {
  let saidAt = clock.now();
  return (done) => {
    if (clock.now() - saidAt < 1_000) return;
    saidAt = clock.now();
    out.note(`${what}: ${done} trials`);
  };
}
