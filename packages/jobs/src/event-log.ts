import type { PipelineEvent } from "@tracemill/core/pipeline/deps.ts";
import type { Clock } from "@tracemill/core/ports/clock.ts";
import type { TrialEvent } from "@tracemill/core/trial/deps.ts";
import type { JobLog } from "./log.ts";
import type { Throughput } from "./throughput.ts";

/** A line of progress so often. */
export const progressMs = 30_000;

interface Deps {
  log: JobLog;
  clock: Pick<Clock, "now">;
}

/** Writes what a step does into the job's log, its progress at most every 30 s. */
export function stepLog({ log, clock }: Deps): (event: PipelineEvent) => void {
  let lastProgress = 0;
  return ({ type, ...fields }) => {
    if (type === "progress") {
      if (clock.now() - lastProgress < progressMs) return;
      lastProgress = clock.now();
    }
    log.info(type, fields);
  };
}

/** Writes what happens to a shard's trials into the job's log: each attempt's start and end. */
export class ShardLog {
  readonly #deps: Deps;
  readonly #throughput: Throughput | undefined;
  /** When attempts of this process were started, by trial. */
  readonly #started = new Map<string, number>();
  readonly #counts = { traced: 0, ended: 0, foundEnded: 0 };

  /** @param throughput of the model that this job serves. */
  constructor(deps: Deps, throughput?: Throughput) {
    this.#deps = deps;
    this.#throughput = throughput;
  }

  readonly onEvent = (event: PipelineEvent): void => {
    const { type, ...fields } = event;
    if (!("trialId" in event)) this.#deps.log.info(type, fields);
    else this.#onTrial(event, fields);
  };

  #onTrial(event: TrialEvent, fields: Record<string, unknown>): void {
    this.#throughput?.onEvent(event);
    switch (event.type) {
      case "trial-found-ended":
        this.#counts.foundEnded += 1;
        return;
      case "attempt-started":
        this.#started.set(event.trialId, this.#deps.clock.now());
        break;
      case "attempt-traced":
        this.#counts.traced += 1;
        break;
      case "attempt-ended":
        this.#counts.ended += 1;
    }
    this.#deps.log.info(event.type, { ...fields, ...this.#seconds(event) });
  }

  /** How long the attempt took here; unknown for the verification of another job's attempt. */
  #seconds({ type, trialId }: TrialEvent): { seconds?: number } {
    const started = this.#started.get(trialId);
    if (type === "attempt-started" || started === undefined) return {};
    this.#started.delete(trialId);
    return { seconds: Math.round((this.#deps.clock.now() - started) / 100) / 10 };
  }

  /** What the job has done so far. */
  progress(): void {
    const tokensPerSecond = this.#throughput?.tokensPerSecond;
    this.#deps.log.info("progress", {
      ...this.#counts,
      inFlight: this.#started.size,
      ...(tokensPerSecond === undefined ? {} : { tokensPerSecond }),
    });
  }
}
