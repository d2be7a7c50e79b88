import type { PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import { formatDuration } from "@tracemill/core/run/duration.ts";

/** Counts of a run so far, as progress shows them. */
export class Counts {
  total = 0;
  found = 0;
  ended = 0;
  costUsd = 0;
  /** Attempts that did not end their trial: it is tried again. */
  repeated = 0;
  readonly #outcomes = new Map<string, number>();
  readonly #clock: Clock;
  #firstAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(event: PipelineEvent): void {
    if (event.type === "planned") this.total = event.trials;
    if (event.type === "trial-found-ended") this.found += 1;
    if (event.type === "attempt-started") this.#firstAt ??= this.#clock.now();
    if (event.type !== "attempt-ended") return;
    this.costUsd += event.usage?.costUsd ?? 0;
    if (!event.final) {
      this.repeated += 1;
      return;
    }
    this.ended += 1;
    this.#outcomes.set(event.outcome.kind, (this.#outcomes.get(event.outcome.kind) ?? 0) + 1);
  }

  get done(): number {
    return this.found + this.ended;
  }

  /** `57 scored, 3 agent-failed`: how the trials that ended here ended. */
  get outcomes(): string {
    return [...this.#outcomes].map(([kind, n]) => `${n} ${kind}`).join(", ");
  }

  /** What matters most comes first: a narrow terminal cuts off the rest. */
  line(): string {
    const parts = [`${this.done}/${this.total}`];
    const elapsed = this.#clock.now() - (this.#firstAt ?? this.#clock.now());
    if (this.ended > 0 && elapsed > 0) {
      const left = Math.max(0, this.total - this.done);
      if (left > 0) parts.push(`${formatDuration((left * elapsed) / this.ended)} left`);
      parts.push(`${((this.ended * 1_000) / elapsed).toFixed(1)}/s`);
    }
    parts.push(this.outcomes || "none ended yet");
    if (this.found > 0) parts.push(`${this.found} done before`);
    if (this.repeated > 0) parts.push(`${this.repeated} attempts repeated`);
    if (this.costUsd > 0) parts.push(`${this.costUsd.toFixed(2)} USD`);
    return parts.join(" · ");
  }
}
