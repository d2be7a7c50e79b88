import type { ModelAccess, ModelSettings } from "@tracemill/core/ports/model-access.ts";
import type { ModelAnswer, ModelClient, ModelRequest } from "@tracemill/core/ports/model-client.ts";
import { noModels } from "./no-models.ts";

/** What a model says: its whole answer, its text alone, or an error that it fails with. */
export type Scripted = ModelAnswer | string | Error;

export interface ScriptedClient extends ModelClient {
  /** What it was asked, in order. */
  asked: ModelRequest[];
}

/** A model in this process. `script` gets each request, and how many came before. */
export function scriptedClient(
  script: (request: ModelRequest, before: number) => Scripted | Promise<Scripted>,
  model = "acme/m",
): ScriptedClient {
  const asked: ModelRequest[] = [];
  return {
    model,
    asked,
    complete: async (request) => {
      asked.push({ ...request, messages: [...request.messages] });
      const said = await script(request, asked.length - 1);
      if (said instanceof Error) throw said;
      return typeof said === "string" ? { text: said, toolCalls: [], finish: "stop" } : said;
    },
  };
}

/** Models by what `open` gives; `opened` sees each reference with its settings. */
export function modelsOf(
  client: ModelClient | ((reference: string, settings: ModelSettings) => ModelClient),
  opened: [reference: string, settings: ModelSettings][] = [],
): ModelAccess {
  return {
    ...noModels,
    open: async (reference, settings = {}) => {
      opened.push([reference, settings]);
      return typeof client === "function" ? client(reference, settings) : client;
    },
  };
}

/** An answer that calls tools. */
export function calling(...calls: [name: string, args: Record<string, unknown>][]): ModelAnswer {
  return {
    text: "",
    toolCalls: calls.map(([name, args], index) => ({ id: `call_${index}`, name, arguments: args })),
    finish: "tool-calls",
    usage: { promptTokens: 100, completionTokens: 10, cachedTokens: 0 },
  };
}
