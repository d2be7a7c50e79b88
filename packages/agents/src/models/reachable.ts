import { TracemillError } from "@tracemill/core/errors.ts";
import { parseModelRef } from "@tracemill/core/models/model-ref.ts";
import { type ProviderSpecs, providerNames, providerOf } from "@tracemill/core/models/providers.ts";
import type { RunSpec } from "@tracemill/core/run/spec.ts";
import { onlyModelOf, readRecording } from "./access.ts";
import { type Connections, getFrom } from "./http-post.ts";
import { type ListedModel, modelsIn, reasonOf } from "./listed-models.ts";

export interface ReachableDeps {
  /** The spec's providers, at the addresses that they have here. */
  providers: ProviderSpecs;
  connections?: Connections | undefined;
}

/** A server that accepts the connection and is silent so long is busy, not absent. */
const lookMs = 5_000;

/**
 * Looks before a run begins whether its models' servers are there and its recordings can be read; any answer of a server
 * will do. A run would otherwise ask a server that nobody started for minutes in each trial.
 * @throws TracemillError `model-failed`, `invalid-spec`, naming the agent and the model.
 */
export async function requireReachable(
  { agents }: Pick<RunSpec, "agents">,
  { providers, connections }: ReachableDeps,
): Promise<void> {
  const looks = new Map<string, Promise<Look>>();
  for (const { name, model, options } of agents) {
    if (model === undefined) continue;
    const place = placeOf(model, options?.baseUrl, providers);
    if (place === undefined) continue;
    if (place.kind === "file") {
      await readRecording(model, place.path);
      continue;
    }
    const look = looks.get(place.url) ?? lookAt(place.url, connections);
    looks.set(place.url, look);
    const { absent, listed } = await look;
    if (absent !== undefined) throw notThere(name, place.url, absent);
    if (listed !== undefined && !place.named) onlyModelOf(place.url, listed.models);
  }
}

function notThere(agent: string, url: string, problem: string): TracemillError {
  return new TracemillError(
    "model-failed",
    `agent ${agent}: the server of its model, ${url}, does not answer: ${problem}. Start it, or correct the address; \`tracemill model check ${url} --wait 10m\` waits for one that loads`,
  );
}

/** `named`: the reference says which of the server's models is meant. */
type Place = { kind: "server"; url: string; named: boolean } | { kind: "file"; path: string };

/** Absent for what is not asked over HTTP, or by the AWS SDK. */
function placeOf(model: string, ownUrl: unknown, providers: ProviderSpecs): Place | undefined {
  if (typeof ownUrl === "string") return { kind: "server", url: ownUrl.replace(/\/+$/, ""), named: true };
  const ref = parseModelRef(model, providerNames(providers));
  if (ref.kind === "replay")
    return ref.recording.kind === "file" ? { kind: "file", path: ref.recording.path } : undefined;
  if (ref.kind === "noop") return undefined;
  if (ref.kind === "url") return { kind: "server", url: ref.baseUrl, named: ref.model !== undefined };
  const { url } = providerOf(ref.provider, providers);
  return url === undefined ? undefined : { kind: "server", url, named: true };
}

/** `absent`: what the network says of a server that is not there; `listed`: what one that is up has. */
interface Look {
  absent?: string;
  listed?: { models: ListedModel[] | undefined };
}

/** A server that only takes its time, wants a key, or is not well is there: its client has the patience. */
async function lookAt(baseUrl: string, connections: Connections | undefined): Promise<Look> {
  const signal = AbortSignal.timeout(lookMs);
  try {
    const limits = { timeoutMs: lookMs, idleMs: lookMs, signal, connections };
    const { status, body } = await getFrom(new URL(`${baseUrl}/models`), { ...limits, headers: {} });
    const text = Buffer.concat(await Array.fromAsync(body)).toString("utf8");
    return status < 300 || status === 404 ? { listed: { models: modelsIn(text) } } : {};
  } catch (error) {
    const { code } = error as { code?: unknown };
    return typeof code === "string" && code !== "ABORT_ERR" ? { absent: reasonOf(error) } : {};
  }
}
