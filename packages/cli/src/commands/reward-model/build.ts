import { objectKeys } from "@tracemill/core/keys.ts";
import { type Built, buildRewardModelData } from "@tracemill/core/reward-model/build.ts";
import { RewardModelSpec } from "@tracemill/core/reward-model/manifest.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import { Command, Option } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext, Home } from "../../context.ts";
import { addSplit, atLeast } from "../../flag-values.ts";
import { table } from "../../tables.ts";
import { checksTable } from "./check.ts";
import { episodesOfAll, inputOf } from "./inputs.ts";
import { type LabelOptions, labelerOf, withLabels } from "./labels.ts";
import { putAsideLines, stageProgress } from "./words.ts";

interface Options extends PlaceOptions, LabelOptions {
  name: string;
  split?: Record<string, number>;
  seed?: number;
  group?: string;
  pairs?: number;
}

const help = `
Examples:
  tracemill reward-model build prod --name shop
  tracemill reward-model build prod latest --split train=0.9 --split test=0.1 --seed 7
  tracemill reward-model build raw_evaluations/ --labels --model labeler --model-url http://127.0.0.1:8000/v1

The same episodes and options give the same version and files; a build that was stopped goes on. Labels that a
model has given are kept in the store and not asked for again.`;

export function buildCommand(context: CliContext): Command {
  return withLabels(withPlace(new Command("build")))
    .description("write episodes, observations, step features and preference pairs as a dataset")
    .argument("<inputs...>", "sources, runs, files or folders of episodes")
    .option("--name <name>", "dataset name", "reward-model")
    .option(
      "--split <name=share>",
      "for example train=0.8; repeat until they add up to 1 (default: 0.8, 0.1, 0.1)",
      addSplit,
    )
    .option("--seed <integer>", "deals groups to splits and picks pairs (default: 0)", atLeast(0))
    .addOption(
      new Option("--group <what>", "what is in one split alone (default: website)").choices([
        "website",
        "task",
      ]),
    )
    .option("--pairs <n>", "most preference pairs (default: 50000)", atLeast(0))
    .option("--json", "the dataset's manifest as one JSON line")
    .addHelpText("after", help)
    .action((words: string[], options: Options) =>
      inHome(options, context, (home) => build(words, options, home, context)),
    );
}

async function build(
  words: readonly string[],
  options: Options,
  home: Home,
  context: CliContext,
): Promise<void> {
  const spec = specOf(options);
  const signal = AbortSignal.any([context.signal, context.draining]);
  const inputs = await Promise.all(words.map((word) => inputOf(word, home)));
  const built = await buildRewardModelData(
    { spec, inputs, found: episodesOfAll(inputs, home, signal) },
    { ...home, signal, labels: await labelerOf(options, home, context), onProgress: stageProgress(context) },
  );
  context.out.event({ type: "dataset", ...built.manifest });
  context.out.text(builtText(built, home));
}

function specOf({ name, split, seed, group, pairs }: Options): RewardModelSpec {
  const given = Object.entries({ name, splits: split, seed, group, pairs });
  const spec = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  return parseAs(RewardModelSpec, spec, "reward-model options", "invalid-spec");
}

function builtText({ manifest, labelMessages }: Built, home: Home): string {
  const { name, version, counts, episodes, checks, labels, pairs, leakCheck } = manifest;
  const rows = Object.entries(counts).flatMap(([part, splits]) =>
    Object.entries(splits ?? {}).map(([split, count]) => [part, split, String(count.rows)]),
  );
  const missing = Object.entries(labels?.missing ?? {}).map(([reason, count]) => {
    const message = labelMessages[reason as keyof typeof labelMessages];
    return `labels missing: ${count} (${reason}${message === undefined ? "" : `: ${message}`})`;
  });
  return [
    `${name} ${version}`,
    "",
    table(["table", "split", "rows"], rows),
    "",
    `${episodes.kept} episodes, ${episodes.successes} good; ${pairs.task} pairs within a task, ${pairs.website} within a website`,
    ...(labels === undefined ? [] : [`labels: ${labels.labelled} by ${labels.model}`]),
    ...missing,
    ...putAsideLines(episodes),
    ...(checks.length === 0 ? [] : ["", checksTable(checks), ""]),
    `in several splits: ${leakCheck.groupsInSeveralSplits} groups, ${leakCheck.tasksInSeveralSplits} tasks, ${leakCheck.websitesInSeveralSplits} websites`,
    `dataset: ${home.locate(objectKeys.dataset(name, version))}`,
  ].join("\n");
}
