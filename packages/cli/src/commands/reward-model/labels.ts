import { TracemillError } from "@tracemill/core/errors.ts";
import type { ModelClient } from "@tracemill/core/ports/model-client.ts";
import { PageLabeler } from "@tracemill/core/reward-model/labels/labeler.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { CliContext, Home } from "../../context.ts";
import { atLeast } from "../../flag-values.ts";
import { openModels } from "../../models.ts";

export interface LabelOptions {
  labels?: true;
  model?: string;
  modelUrl?: string;
  modelKeyEnv?: string;
  labelConcurrency: number;
  labelTokens?: number;
  labelCost?: number;
}

/** Adds the flags by which pages are labelled. */
export function withLabels(command: Command): Command {
  return command
    .option("--labels", "have a model say what each page is and offers")
    .option(
      "--model <name>",
      "the model that labels: openai/gpt-5.2, or with --model-url as its server calls it",
    )
    .option("--model-url <url>", "an OpenAI-compatible API, for example http://127.0.0.1:8000/v1")
    .option("--model-key-env <name>", "variable that holds the key of the API at --model-url")
    .option("--label-concurrency <n>", "episodes that are labelled at once", atLeast(1), 8)
    .option("--label-tokens <n>", "most tokens that labels may use", atLeast(1))
    .option("--label-cost <usd>", "most US dollars that labels may cost, where the price is known", dollars);
}

/**
 * What labels pages, as the flags say; `undefined` without `--labels`.
 * @throws TracemillError `invalid-input` when the model is missing; as `ModelAccess.open` does.
 */
export async function labelerOf(
  options: LabelOptions,
  home: Home,
  context: CliContext,
): Promise<{ labeler: PageLabeler; concurrency: number } | undefined> {
  if (options.labels === undefined) return undefined;
  const { clock, signal, draining } = context;
  const { labelTokens: tokens, labelCost: costUsd, labelConcurrency: concurrency } = options;
  const model = await openLabelModel(options, context);
  const budget = new RunBudget({ tokens, costUsd }, clock.now());
  const stop = AbortSignal.any([signal, draining]);
  return {
    labeler: new PageLabeler({ model, objects: home.objects, clock, budget, signal: stop }),
    concurrency,
  };
}

/** Models of one's own server answer as evenly as they can; those of providers are often not to be told how. */
async function openLabelModel(
  { model, modelUrl: url, modelKeyEnv: key }: LabelOptions,
  context: CliContext,
): Promise<ModelClient> {
  if (model === undefined) {
    throw new TracemillError(
      "invalid-input",
      "--labels wants a model: give --model PROVIDER/NAME, or --model NAME and --model-url URL",
    );
  }
  if (url === undefined) return openModels({}, context).open(model);
  if (!URL.canParse(url)) {
    throw new TracemillError("invalid-input", `--model-url ${url}: no address; give http://HOST:PORT/v1`);
  }
  if (key !== undefined && context.config.variable(key) === undefined) {
    throw new TracemillError("invalid-input", `--model-key-env ${key}: the variable is not set`);
  }
  const server = { url, ...(key === undefined ? {} : { key }) };
  return openModels({ providers: { labels: server } }, context).open(`labels/${model}`, {
    label: model,
    temperature: 0,
  });
}

function dollars(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError("It wants an amount, for example 2.50.");
}
