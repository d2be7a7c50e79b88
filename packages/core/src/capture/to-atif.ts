import type { Step, Trajectory } from "../atif/trajectory.ts";
import { TracemillError } from "../errors.ts";
import type { RecordedExchange } from "../ports/model-client.ts";
import { type ModelCall, modelCallOf } from "./atif/model-call.ts";
import { withSubagentRefs } from "./atif/subagent-refs.ts";
import { type Asked, Thread, takeApart } from "./atif/thread.ts";

/** Whose session it is. */
export interface SessionAgent {
  name: string;
  version: string;
}

/** Conversations that go on at the same time; a session of single questions has thousands that are over. */
const maxOpen = 256;

/** Failed requests that are told one by one; more are only counted. */
const maxFailures = 100;

/**
 * Makes a trajectory of a session's exchanges, in the order in which they began. Each request repeats the conversation
 * before it: a turn is written once, when it is answered. What other conversations the session had (titles, subagents)
 * are its `subagent_trajectories`; a context that was replaced (compaction) is written as `contextSegments` reads it.
 * Requests that failed are no steps: they are counted and told in `extra.failed_requests`.
 *
 * Holds the steps and the newest request of each conversation, never the exchanges.
 */
export class SessionReader {
  readonly #agent: SessionAgent;
  readonly #threads: Thread[] = [];
  /** Those that a request may go on with, the one that was last used at the end. */
  #open: Thread[] = [];
  readonly #failures: Record<string, unknown>[] = [];
  #failed = 0;
  #sessionId: string | undefined;
  #lastAsked: Asked | undefined;

  constructor(agent: SessionAgent) {
    this.#agent = agent;
  }

  /** Exchanges that asked no model are left out. */
  add(exchange: RecordedExchange): void {
    const call = modelCallOf(exchange);
    if (call === undefined) return;
    if ("kind" in exchange) this.#sessionId ??= exchange.sessionId;
    if ("failure" in call.outcome) this.#fail(call);
    else this.#threadOf(takeApart(call)).answer(call);
  }

  /** The session so far. @throws TracemillError `invalid-input` when no model was asked in it. */
  trajectory(): Trajectory {
    if (this.#threads.length === 0 && this.#lastAsked === undefined) {
      throw new TracemillError(
        "invalid-input",
        "no model was asked in these exchanges: there is nothing to convert",
      );
    }
    const unanswered = this.#threads.length === 0 && this.#lastAsked !== undefined;
    const threads = unanswered ? [new Thread(this.#lastAsked as Asked)] : this.#threads;
    const main = mainThread(threads);
    const others = threads.filter((thread) => thread !== main);
    const steps = main.steps();
    const named = others.map((thread, index) => ({ id: `conversation-${index + 2}`, thread }));
    return {
      ...this.#document(main, withSubagentRefs(steps, named)),
      ...(named.length > 0 && {
        subagent_trajectories: named.map(({ id, thread }) => ({
          trajectory_id: id,
          ...this.#document(thread, thread.steps()),
        })),
      }),
      ...(this.#failed > 0 && {
        extra: { failed_requests: { count: this.#failed, first: this.#failures } },
      }),
    };
  }

  #fail(call: ModelCall): void {
    this.#failed += 1;
    this.#lastAsked ??= takeApart(call);
    if (this.#failures.length === maxFailures) return;
    const { id, startedAt, outcome } = call;
    this.#failures.push({ ...(id !== undefined && { exchange_id: id }), at: startedAt, ...outcome });
  }

  /** The conversation that the request goes on with, its new words written; else a new one. */
  #threadOf(asked: Asked): Thread {
    const thread = this.#continued(asked) ?? this.#replaced(asked) ?? this.#begun(asked);
    this.#open = [...this.#open.filter((other) => other !== thread), thread].slice(-maxOpen);
    return thread;
  }

  #continued(asked: Asked): Thread | undefined {
    const byId = this.#open.find((thread) => thread.isContinuedById(asked));
    if (byId !== undefined) {
      byId.goOnById(asked);
      return byId;
    }
    for (const isLoose of [false, true]) {
      for (const thread of this.#open.toReversed()) {
        const continuation = thread.continuation(asked, isLoose);
        if (continuation === undefined) continue;
        thread.goOn(asked, continuation);
        return thread;
      }
    }
    return undefined;
  }

  #replaced(asked: Asked): Thread | undefined {
    const found = this.#open.findLast(
      (thread) =>
        thread.isOfSameKind(asked) &&
        (thread.isSummarizedIn(asked) || thread.beginsAlike(asked) || holdsCompaction(asked)),
    );
    found?.replace(asked);
    return found;
  }

  #begun(asked: Asked): Thread {
    const thread = new Thread(asked);
    this.#threads.push(thread);
    return thread;
  }

  #document(thread: Thread, steps: Step[]): Trajectory {
    const { toolDefinitions: tools, model } = thread;
    return {
      schema_version: "ATIF-v1.8",
      ...(this.#sessionId !== undefined && { session_id: this.#sessionId }),
      agent: {
        ...this.#agent,
        ...(model !== undefined && { model_name: model }),
        ...(tools.length > 0 && { tool_definitions: tools }),
      },
      steps: steps.length > 0 ? steps : [{ step_id: 1, source: "system", message: "(an empty request)" }],
      final_metrics: totals(steps),
    };
  }
}

/** @throws TracemillError `invalid-input` when no model was asked in it. */
export function sessionToTrajectory(exchanges: Iterable<RecordedExchange>, agent: SessionAgent): Trajectory {
  const reader = new SessionReader(agent);
  for (const exchange of exchanges) reader.add(exchange);
  return reader.trajectory();
}

/** As `sessionToTrajectory`, one exchange at a time. */
export async function sessionStreamToTrajectory(
  exchanges: AsyncIterable<RecordedExchange>,
  agent: SessionAgent,
): Promise<Trajectory> {
  const reader = new SessionReader(agent);
  for await (const exchange of exchanges) reader.add(exchange);
  return reader.trajectory();
}

/** The first one that had tools, since programs name and probe without; else the one with the most turns. */
function mainThread(threads: readonly Thread[]): Thread {
  const [longest] = threads.toSorted((a, b) => b.turns - a.turns);
  return threads.find(({ toolDefinitions }) => toolDefinitions.length > 0) ?? (longest as Thread);
}

/** What providers put in place of a history that they made smaller themselves. */
function holdsCompaction({ entries }: Asked): boolean {
  return entries.some(({ item }) => typeof item !== "string" && /compaction/.test(String(item.type)));
}

function totals(steps: readonly Step[]): Trajectory["final_metrics"] {
  const own = steps.flatMap(({ metrics }) => (metrics === undefined ? [] : [metrics]));
  const sum = (count: (metrics: (typeof own)[number]) => number | undefined): number =>
    own.reduce((total, metrics) => total + (count(metrics) ?? 0), 0);
  const isPriced = own.some(({ cost_usd: cost }) => cost !== undefined);
  return {
    total_prompt_tokens: sum((metrics) => metrics.prompt_tokens),
    total_completion_tokens: sum((metrics) => metrics.completion_tokens),
    total_cached_tokens: sum((metrics) => metrics.cached_tokens),
    ...(isPriced && { total_cost_usd: sum((metrics) => metrics.cost_usd) }),
    total_steps: steps.length,
  };
}
