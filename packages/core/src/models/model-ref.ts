import { TracemillError } from "../errors.ts";
import { suggestion } from "../validation.ts";

/** What a reference to a model means. */
export type ModelRef =
  | { kind: "provider"; provider: string; model: string }
  /** Of an OpenAI-compatible server, without the slash at its end; without `model` where the server has only one. */
  | { kind: "url"; baseUrl: string; model?: string }
  | { kind: "replay"; recording: { kind: "reference" } | { kind: "file"; path: string } }
  | { kind: "noop"; name: string };

/** Names before the slash that are no provider's. */
const ownKinds = ["replay", "noop"] as const;

/**
 * Reads a reference as `ModelAccess` describes it.
 * @param providers names that may stand before the slash, besides `replay` and `noop`.
 * @throws TracemillError `invalid-spec`, with what may stand there.
 */
export function parseModelRef(reference: string, providers: readonly string[]): ModelRef {
  if (/^https?:\/\//i.test(reference)) return urlRef(reference);
  const slash = reference.indexOf("/");
  const [head, rest] = slash < 0 ? [reference, ""] : [reference.slice(0, slash), reference.slice(slash + 1)];
  if (slash < 0 || rest === "") throw refuse(reference, shapeHint(head, rest, providers));
  if (head === "noop") return { kind: "noop", name: rest };
  if (head === "replay")
    return {
      kind: "replay",
      recording: rest === "reference" ? { kind: "reference" } : { kind: "file", path: rest },
    };
  if (!providers.includes(head)) throw refuse(reference, unknownProvider(head, providers));
  return { kind: "provider", provider: head, model: rest };
}

/** The address of a server; its key and its name are a provider's matter. */
function urlRef(reference: string): ModelRef {
  const url = URL.parse(reference);
  if (url === null) throw refuse(reference, "is no address; give http://HOST:PORT/v1");
  const { username, password, search, hash } = url;
  if (username !== "" || password !== "" || search !== "") {
    const remedy = "name the server under `providers`, with `url` and, for its key, the variable in `key`";
    throw refuse(url.origin, `holds a user, a password or a query; references are stored: ${remedy}`);
  }
  const baseUrl = (url.origin + url.pathname).replace(/\/+$/, "");
  const model = hash === "" ? "" : decoded(reference.slice(reference.indexOf("#") + 1));
  return { kind: "url", baseUrl, ...(model === "" ? {} : { model }) };
}

function shapeHint(head: string, rest: string, providers: readonly string[]): string {
  const wanted = "it is PROVIDER/MODEL, or the address of an OpenAI-compatible server (http://HOST:PORT/v1)";
  if (rest === "" && [...providers, ...ownKinds].includes(head)) return `names no model; ${wanted}`;
  const family = families.find(([pattern]) => pattern.test(head))?.[1];
  return family === undefined
    ? `names no provider; ${wanted}`
    : `names no provider; did you mean ${family}/${head}?`;
}

/** Whose models have such names, for those who forget the provider. */
const families: readonly (readonly [pattern: RegExp, provider: string])[] = [
  [/^(?:gpt-|o\d|codex-)/i, "openai"],
  [/^claude-/i, "anthropic"],
  [/^(?:[a-z]{2,6}\.)?(?:anthropic|amazon|meta)\./i, "bedrock"],
  [/^gemini-/i, "gemini"],
  [/^grok-/i, "xai"],
  [/^deepseek-/i, "deepseek"],
  [/^(?:mistral|codestral|devstral|magistral)-/i, "mistral"],
];

function unknownProvider(head: string, providers: readonly string[]): string {
  if (/^[\w.-]+:\d+$/.test(head)) return "looks like an address; an address begins with http:// or https://";
  const near = suggestion(head, [...providers, ...ownKinds]);
  const known = near === undefined ? `known: ${providers.join(", ")}` : `did you mean ${near}/?`;
  return `no provider is called ${JSON.stringify(head)} (${known}); name others under \`providers\`, with their \`url\``;
}

function refuse(reference: string, problem: string): TracemillError {
  return new TracemillError("invalid-spec", `model ${JSON.stringify(reference)}: ${problem}`);
}

/** A name may hold what an address may not; one that only looks encoded is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
