import { checkModel, type ModelCheck } from "@tracemill/agents/models/check.ts";
import { isTracemillError, TracemillError } from "@tracemill/core/errors.ts";
import { parseModelRef } from "@tracemill/core/models/model-ref.ts";
import type { ProviderSpec } from "@tracemill/core/models/model-spec.ts";
import { type KnownPrice, pricedUsage, priceOf } from "@tracemill/core/models/prices.ts";
import { providerNames } from "@tracemill/core/models/providers.ts";
import { Duration, formatDuration } from "@tracemill/core/run/duration.ts";
import { Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../../context.ts";
import { connectionsOf, openModels } from "../../models.ts";
import { modelKeysOf, type SpecOption, withSpec } from "./keys.ts";

interface Options extends SpecOption {
  wait: number;
  keyEnv?: string;
}

const help = `
Examples:
  tracemill model check anthropic/claude-haiku-4-5
  tracemill model check http://127.0.0.1:8000/v1 --wait 10m
  tracemill model check https://gpu.example.com/v1#Qwen/Qwen3-32B --key-env GPU_KEY

Waits while the server loads, then asks up to five small things; with a provider that costs a fraction of a cent.
Exits with 1 when the model does not answer.`;

export function checkCommand(context: CliContext): Command {
  return withSpec(new Command("check"))
    .description("ask a model something small, and say what it can do")
    .argument("<model>", "PROVIDER/NAME, or the address of an OpenAI-compatible server")
    .option("--wait <duration>", "how long a server may still be loading", durationOf, 0)
    .option("--key-env <name>", "variable that holds the key of a server that is named by its address")
    .option("--json", "the findings as one JSON line")
    .addHelpText("after", help)
    .action((reference: string, options: Options) => check(reference, options, context));
}

async function check(reference: string, options: Options, context: CliContext): Promise<void> {
  const { out } = context;
  const keys = await modelKeysOf(options);
  const { name, providers } = named(reference, options);
  const models = openModels({ ...keys, providers: { ...keys.providers, ...providers } }, context);
  const signal = AbortSignal.any([context.signal, context.draining]);
  let told = "";
  const onProgress = ({ reason, waitedMs }: { reason: string; waitedMs: number }): void => {
    if (reason !== told) out.note(`waiting (${formatDuration(waitedMs)}): ${reason}`);
    told = reason;
  };
  try {
    const connections = connectionsOf(context.config);
    const waiting = { timeoutMs: options.wait, onProgress, signal };
    const found = await checkModel(name, waiting, { models, clock: context.clock, connections });
    const price = priceOf(reference, keys.prices);
    const report = { ...priced(found, price), reference };
    out.event({ type: "model", ok: true, ...report, ...(price === undefined ? {} : { price }) });
    out.text(checkText(report, price));
  } catch (error) {
    // A model that does not answer is what this command is asked about: 1, whatever the reason.
    if (!isTracemillError(error, "unauthorized", "unsupported")) throw error;
    throw new TracemillError("model-failed", error.message, { cause: error });
  }
}

/** A server with a key is a provider for the time being. */
function named(
  reference: string,
  { keyEnv: key }: Options,
): { name: string; providers: Record<string, ProviderSpec> } {
  if (key === undefined) return { name: reference, providers: {} };
  const ref = parseModelRef(reference, providerNames({}));
  if (ref.kind !== "url" || ref.model === undefined) {
    throw new TracemillError(
      "invalid-input",
      "--key-env goes with an address and a name: http://HOST:PORT/v1#NAME",
    );
  }
  return { name: `server/${ref.model}`, providers: { server: { url: ref.baseUrl, key } } };
}

function priced(found: ModelCheck, known: KnownPrice | undefined): ModelCheck {
  return found.usage === undefined ? found : { ...found, usage: pricedUsage(found.usage, known?.price) };
}

function checkText(found: ModelCheck, price: KnownPrice | undefined): string {
  const { baseUrl, protocol, models, contextLength, tools } = found;
  const lines: (readonly [what: string, found: string])[] = [
    ["model", found.model],
    ["at", baseUrl === undefined ? servedBy(found.reference) : `${baseUrl} (${protocol})`],
    ["models listed", models === undefined ? "the server lists none" : listText(models)],
    ["context", contextLength === undefined ? "the server does not say" : `${contextLength} tokens`],
    ["answer", `${JSON.stringify(found.text.slice(0, 60))}, ${found.finish}`],
    ["first token", `${formatDuration(found.firstTokenMs)}, all ${formatDuration(found.totalMs)}`],
    ["streams", found.streamed ? "yes" : "no: the answer came in one piece"],
    ["tools", toolsText(tools)],
    ["usage", usageText(found)],
    ["token ids, logprobs", `${yes(found.tokenIds)}, ${yes(found.logprobs)}`],
    ["price", priceText(price)],
  ];
  return lines.map(([what, said]) => `${what.padEnd(20)} ${said}`).join("\n");
}

function servedBy(reference: string): string {
  return reference.startsWith("bedrock/") ? "Amazon Bedrock, by the AWS SDK" : "played by Tracemill itself";
}

function listText(models: readonly string[]): string {
  const first = models.slice(0, 5).join(", ");
  return models.length > 5 ? `${models.length}: ${first}, …` : first || "none";
}

function toolsText(tools: ModelCheck["tools"]): string {
  if (tools === "calls") return "called when asked to";
  if (tools === "no-call")
    return "did not call; a server may want a tool parser (vLLM: --enable-auto-tool-choice)";
  return `refused: ${tools.refused}`;
}

function usageText({ usage }: ModelCheck): string {
  if (usage === undefined) return "not said: budgets hold by a guess (4 characters a token)";
  const cost = usage.costUsd === undefined ? "" : `, ${usage.costUsd.toFixed(6)} USD`;
  return `${usage.promptTokens} in (${usage.cachedTokens} cached), ${usage.completionTokens} out${cost}`;
}

function priceText(known: KnownPrice | undefined): string {
  if (known === undefined)
    return "not known: budgets in dollars do not hold; say it under `prices` in the spec";
  const { price, ...source } = known;
  const from = source.from === "table" ? `as of ${source.asOf}` : "from the spec";
  return `${price.input} in, ${price.output} out, USD for a million tokens (${from})`;
}

function yes(is: boolean): string {
  return is ? "yes" : "no";
}

function durationOf(text: string): number {
  const parsed = Duration.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError("It wants a duration, for example 90s or 10m.");
}
