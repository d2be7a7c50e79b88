import { TracemillError } from "@tracemill/core/errors.ts";
import { parseModelRef } from "@tracemill/core/models/model-ref.ts";
import { providerNames, providerOf } from "@tracemill/core/models/providers.ts";
import type { ModelUpstream } from "@tracemill/core/ports/model-access.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import type { Program } from "./program.ts";

type Speaker = Pick<Program, "name" | "protocol">;

/** How OpenAI-compatible servers begin, and where those of today have the other protocols too. */
const plain: ModelProtocol = "chat-completions";

/**
 * Refuses a model that a program cannot speak to, before anything runs. A server that is named by its address, or that
 * the run serves itself, is taken at its word: vLLM, llama.cpp and Ollama speak all three protocols.
 * @throws TracemillError `invalid-spec`, with what to write.
 */
export function checkModel(
  program: Speaker,
  model: string | undefined,
  { models, providers }: Pick<RunSpec, "models" | "providers">,
): void {
  if (model === undefined) {
    throw new TracemillError(
      "invalid-spec",
      `agents: ${program.name} wants a \`model\`, or \`roles: { policy: … }\``,
    );
  }
  if (models[model] !== undefined) return;
  const ref = parseModelRef(model, providerNames(providers));
  if (ref.kind === "url") return;
  if (ref.kind !== "provider")
    throw new TracemillError(
      "invalid-spec",
      `agents: ${program.name} reaches its model over HTTP; ${model} is played here`,
    );
  const { protocol } = providerOf(ref.provider, providers);
  if (!isSpoken(program, protocol)) throw refusal(program, model, protocol, ref.provider);
}

/**
 * The model's server as a program reaches it.
 * @throws TracemillError `unsupported` where they have no protocol in common.
 */
export function upstreamFor(program: Speaker, model: string, upstream: ModelUpstream): ModelUpstream {
  const { protocol } = program;
  if (protocol === undefined || isSpoken(program, upstream.protocol)) return upstream;
  // A provider that speaks something else was refused before the run: what is left is a server named by its address.
  if (upstream.protocol !== plain) throw refusal(program, model, upstream.protocol);
  // For `messages` a base ends before `/v1`.
  const baseUrl = protocol === "messages" ? upstream.baseUrl.replace(/\/v1$/, "") : upstream.baseUrl;
  return { ...upstream, protocol, baseUrl };
}

function isSpoken({ protocol }: Speaker, spoken: ModelProtocol): boolean {
  if (protocol === undefined) return spoken !== "converse";
  return protocol === spoken;
}

const words: Readonly<Record<ModelProtocol, string>> = {
  "chat-completions": "OpenAI's Chat Completions API",
  responses: "OpenAI's Responses API",
  messages: "Anthropic's Messages API",
  converse: "Amazon Bedrock's Converse API",
};

function refusal(
  { name, protocol }: Speaker,
  model: string,
  spoken: ModelProtocol,
  provider = "NAME",
): TracemillError {
  const wanted = protocol === undefined ? "an API over HTTP with a key" : words[protocol];
  const base = protocol === "messages" ? "https://HOST" : "https://HOST/v1";
  const remedy =
    spoken === "converse" || protocol === undefined
      ? "choose another model"
      : `choose another model, or say that its server speaks it too: providers: { ${provider}: { url: "${base}", protocol: ${protocol} } }`;
  return new TracemillError(
    "invalid-spec",
    `agents: ${name} speaks ${wanted}, and ${model} is reached by ${words[spoken]}; ${remedy}`,
  );
}
