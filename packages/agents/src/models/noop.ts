import type { ModelClient } from "@tracemill/core/ports/model-client.ts";

/** Says nothing and stops, for trying out everything around a model. Played, so that it counts as no turn. */
export function noopModel(model: string): ModelClient {
  return {
    model,
    replayed: true,
    complete: async ({ signal }) => {
      signal.throwIfAborted();
      return { text: "", toolCalls: [], finish: "stop" };
    },
  };
}
