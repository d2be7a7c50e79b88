import { TracemillError } from "../errors.ts";
import type { ModelProtocol } from "../protocols/protocol.ts";
import type { ProviderSpec } from "./model-spec.ts";

/** Where a provider's models are reached, and how. */
export interface Provider {
  name: string;
  protocol: ModelProtocol;
  /** Without the slash at its end; for `messages` it ends before `/v1`, for the others after it. Absent for `bedrock`. */
  url?: string;
  /** The variable, or the secret, that holds its key; absent where none is wanted. */
  key?: string;
  region?: string;
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

/** `key` is the name that each provider's own documentation gives the variable. */
const known: Readonly<Record<string, Omit<Provider, "name">>> = {
  openai: { protocol: "responses", url: "https://api.openai.com/v1", key: "OPENAI_API_KEY" },
  anthropic: { protocol: "messages", url: "https://api.anthropic.com", key: "ANTHROPIC_API_KEY" },
  bedrock: { protocol: "converse" },
  ollama: { protocol: "chat-completions", url: "http://127.0.0.1:11434/v1" },
  vllm: { protocol: "chat-completions", url: "http://127.0.0.1:8000/v1" },
  llamacpp: { protocol: "chat-completions", url: "http://127.0.0.1:8080/v1" },
  openrouter: {
    protocol: "chat-completions",
    url: "https://openrouter.ai/api/v1",
    key: "OPENROUTER_API_KEY",
  },
  groq: { protocol: "chat-completions", url: "https://api.groq.com/openai/v1", key: "GROQ_API_KEY" },
  together: { protocol: "chat-completions", url: "https://api.together.xyz/v1", key: "TOGETHER_API_KEY" },
  deepseek: { protocol: "chat-completions", url: "https://api.deepseek.com/v1", key: "DEEPSEEK_API_KEY" },
  mistral: { protocol: "chat-completions", url: "https://api.mistral.ai/v1", key: "MISTRAL_API_KEY" },
  gemini: {
    protocol: "chat-completions",
    url: "https://generativelanguage.googleapis.com/v1beta/openai",
    key: "GEMINI_API_KEY",
  },
  fireworks: {
    protocol: "chat-completions",
    url: "https://api.fireworks.ai/inference/v1",
    key: "FIREWORKS_API_KEY",
  },
  xai: { protocol: "chat-completions", url: "https://api.x.ai/v1", key: "XAI_API_KEY" },
};

export type ProviderSpecs = Readonly<Record<string, ProviderSpec>>;

/** The names that may stand before the slash of a model. */
export function providerNames(specs: ProviderSpecs): string[] {
  return [...new Set([...Object.keys(known), ...Object.keys(specs)])];
}

/**
 * A provider as the run's spec has it: its own, or a known one with the spec's changes.
 * @throws TracemillError `invalid-spec` for one without an address.
 */
export function providerOf(name: string, specs: ProviderSpecs): Provider {
  const { url, ...spec } = defined(specs[name] ?? {});
  const base = Object.hasOwn(known, name) ? known[name] : undefined;
  const provider: Provider = {
    protocol: "chat-completions",
    ...base,
    ...spec,
    ...(url === undefined ? {} : { url: url.replace(/\/+$/, "") }),
    name,
  };
  const problem = provider.url === undefined ? undefined : addressProblem(provider.url);
  if (problem !== undefined) throw new TracemillError("invalid-spec", `providers.${name}.url: ${problem}`);
  if (provider.protocol === "converse" || provider.url !== undefined) return provider;
  throw new TracemillError("invalid-spec", `providers.${name}: is no known provider, so it wants a \`url\``);
}

/** Why a text is no base URL; `undefined` for one. Paths are put behind it, and messages show it. */
export function addressProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return "is no address; give https://HOST/v1";
  if (url.username !== "" || url.password !== "")
    return "holds a user or a password, and is shown in messages; name the variable of the key in `providers`";
  return /[?#]/.test(text) ? "ends in a query, behind which no path fits" : undefined;
}

/** Of a server that is named by its address alone. */
export function providerAt(baseUrl: string): Provider {
  return { name: baseUrl, protocol: "chat-completions", url: baseUrl };
}

/** The spec's keys that are set; zod leaves the others out or `undefined`. */
function defined(spec: ProviderSpec): { [Key in keyof ProviderSpec]?: NonNullable<ProviderSpec[Key]> } {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}

/** The headers by which a provider knows its user. */
export function keyHeaders(protocol: ModelProtocol, key: string | undefined): Record<string, string> {
  const version: Record<string, string> =
    protocol === "messages" ? { "anthropic-version": "2023-06-01" } : {};
  if (key === undefined) return version;
  if (protocol === "messages") return { ...version, "x-api-key": key };
  return { authorization: `Bearer ${key}` };
}
