import type { Trajectory } from "../atif/trajectory.ts";
import { TracemillError } from "../errors.ts";
import type { BudgetMeter, ModelEndpoint, ReachedCap } from "../ports/agent.ts";
import type { Clock } from "../ports/clock.ts";
import type { ModelAccess, ModelSettings } from "../ports/model-access.ts";
import type { ModelClient, ModelRequest, RecordedExchange } from "../ports/model-client.ts";

interface Attempt {
  /** The model that this process serves itself, by the name that agents use. */
  served?: { model: string; endpoint: ModelEndpoint };
  /** What `replay/reference` plays. */
  reference?: Trajectory;
  budget: BudgetMeter;
  clock: Pick<Clock, "now">;
  record(exchange: RecordedExchange): void;
}

/** The process's models as one attempt has them: each exchange is recorded, and counted against its budget. */
export function attemptModels(models: ModelAccess, attempt: Attempt): ModelAccess {
  const { served, reference } = attempt;
  const where = (model: string): string =>
    served?.model === model ? `${served.endpoint.baseUrl}#${served.endpoint.model}` : model;
  return {
    open: async (model, settings) => {
      const own: ModelSettings = {
        label: model,
        ...(reference === undefined ? {} : { reference }),
        ...settings,
      };
      return metered(await models.open(where(model), own), attempt);
    },
    upstream: (model) => models.upstream(where(model), model),
  };
}

/** An answer that is played back, or was kept in the cache, costs nothing now; only what is played back is no turn. */
function metered(client: ModelClient, attempt: Attempt): ModelClient {
  const { budget, clock, record } = attempt;
  const { model, replayed = false } = client;
  const now = (): string => new Date(clock.now()).toISOString();
  return {
    model,
    replayed,
    complete: async (request) => {
      const cap = replayed ? undefined : budget.admit();
      if (cap !== undefined) throw errorOfCap(cap);
      const startedAt = now();
      const answer = await client.complete(request);
      record({ startedAt, endedAt: now(), model, replayed, request: asked(request), answer });
      const usage = answer.usage ?? answer.guessedUsage;
      if (usage !== undefined && !replayed && answer.cached !== true) budget.spend(usage);
      return answer;
    },
  };
}

/** The messages as they are now: an agent's own list grows. */
function asked({ messages, tools }: ModelRequest): {
  messages: ModelRequest["messages"];
  tools: ModelRequest["tools"];
} {
  return { messages: [...messages], tools };
}

/** The error by which a cap ends what an agent does. */
export function errorOfCap({ kind, reason }: ReachedCap): TracemillError {
  return new TracemillError(kind === "turns" ? "turn-limit" : "budget-exceeded", reason);
}
