import { ChatCompletions } from "@tracemill/agents/models/chat-completions.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { PageLabeler } from "@tracemill/core/reward-model/labels/labeler.ts";
import { RunBudget } from "@tracemill/core/trial/budget.ts";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { CliContext, Home } from "../../context.ts";
import { atLeast } from "../../flag-values.ts";

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
    .option("--model <name>", "the model that labels, as its server calls it")
    .option("--model-url <url>", "its OpenAI-compatible API, for example http://127.0.0.1:8000/v1")
    .option("--model-key-env <name>", "variable that holds the API's key")
    .option("--label-concurrency <n>", "episodes that are labelled at once", atLeast(1), 8)
    .option("--label-tokens <n>", "most tokens that labels may use", atLeast(1))
    .option("--label-cost <usd>", "most US dollars that labels may cost, where the API tells", dollars);
}

/**
 * What labels pages, as the flags say; `undefined` without `--labels`.
 * @throws TracemillError `invalid-input` when the model, its address or its key is missing.
 */
export function labelerOf(
  options: LabelOptions,
  home: Home,
  context: CliContext,
): { labeler: PageLabeler; concurrency: number } | undefined {
  if (options.labels === undefined) return undefined;
  const { clock, random, signal, draining } = context;
  const { labelTokens: tokens, labelCost: costUsd, labelConcurrency: concurrency } = options;
  const model = new ChatCompletions({ ...modelOf(options, context), temperature: 0 }, { clock, random });
  const budget = new RunBudget({ tokens, costUsd }, clock.now());
  const stop = AbortSignal.any([signal, draining]);
  return {
    labeler: new PageLabeler({ model, objects: home.objects, clock, budget, signal: stop }),
    concurrency,
  };
}

function modelOf({ model, modelUrl: baseUrl, modelKeyEnv: keyEnv }: LabelOptions, { config }: CliContext) {
  if (model === undefined || baseUrl === undefined) {
    throw new TracemillError(
      "invalid-input",
      "--labels wants a model: give --model NAME and --model-url URL",
    );
  }
  if (!URL.canParse(baseUrl)) {
    throw new TracemillError("invalid-input", `--model-url ${baseUrl}: no address; give http://HOST:PORT/v1`);
  }
  const apiKey = keyEnv === undefined ? undefined : config.variable(keyEnv);
  if (keyEnv !== undefined && apiKey === undefined) {
    throw new TracemillError("invalid-input", `--model-key-env ${keyEnv}: the variable is not set`);
  }
  return { model, baseUrl, ...(apiKey === undefined ? {} : { apiKey }) };
}

function dollars(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError("It wants an amount, for example 2.50.");
}
