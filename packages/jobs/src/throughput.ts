import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { TrialEvent } from "@tracemill/core/trial/deps.ts";

/** How fast the model of a job answers all its trials together. */
export class Throughput {
  readonly #clock: Pick<Clock, "now">;
  #since: number | undefined;
  #tokens = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  onEvent(event: TrialEvent): void {
    if (event.type === "attempt-started") this.#since ??= this.#clock.now();
    if (event.type !== "attempt-traced" && event.type !== "attempt-ended") return;
    this.#tokens += event.usage?.completionTokens ?? 0;
  }

  /** Completion tokens a second since the first attempt began, to a tenth; `undefined` before the first ones. */
  get tokensPerSecond(): number | undefined {
    const seconds = this.#since === undefined ? 0 : (this.#clock.now() - this.#since) / 1_000;
    return this.#tokens === 0 || seconds <= 0 ? undefined : Math.round((this.#tokens / seconds) * 10) / 10;
  }
}
