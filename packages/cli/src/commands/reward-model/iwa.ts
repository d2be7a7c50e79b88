import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { type Collected, collectEpisodes } from "@tracemill/core/reward-model/collected.ts";
import { type IwaFile, iwaFiles } from "@tracemill/core/reward-model/iwa/files.ts";
import { labelEpisodes } from "@tracemill/core/reward-model/labels/label-episodes.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext, Home } from "../../context.ts";
import { atLeast } from "../../flag-values.ts";
import { episodesOfAll, inputOf } from "./inputs.ts";
import { type LabelOptions, labelerOf, withLabels } from "./labels.ts";
import { putAsideLines, stageProgress } from "./words.ts";

interface Options extends PlaceOptions, LabelOptions {
  output: string;
  seed: number;
  pairs: number;
}

/** Where the original's tools look, below their working directory. */
const folder = "data/inputs/reward_model";

const help = `
Examples:
  tracemill reward-model iwa data/inputs/reward_model/raw_evaluations --output .
  tracemill reward-model iwa prod latest --output autoppia_iwa

Writes what autoppia_iwa's make_splits, build_obs_and_labels and build_preference_pairs write, to
OUTPUT/${folder}. Its splits tear tasks apart; \`build\` does not. Files that are there are replaced.`;

export function iwaCommand(context: CliContext): Command {
  return withLabels(withPlace(new Command("iwa")))
    .description("write splits, finals, observations and pairs as autoppia_iwa's scripts do, byte for byte")
    .argument("<inputs...>", "sources, runs, files or folders of episodes")
    .requiredOption("--output <dir>", `folder to write ${folder} into`)
    .option("--seed <integer>", "as Python's random.seed takes it", atLeast(0), 1337)
    .option("--pairs <n>", "lines of pairs.jsonl", atLeast(0), 50_000)
    .option("--json", "the counts as one JSON line")
    .addHelpText("after", help)
    .action((words: string[], options: Options) =>
      inHome(options, context, (home) => write(words, options, home, context)),
    );
}

async function write(
  words: readonly string[],
  options: Options,
  home: Home,
  context: CliContext,
): Promise<void> {
  const signal = AbortSignal.any([context.signal, context.draining]);
  const progress = stageProgress(context);
  const inputs = await Promise.all(words.map((word) => inputOf(word, home)));
  await using collected = await collectEpisodes(episodesOfAll(inputs, home, signal), {
    scratch: home.scratch,
    signal,
    onProgress: (done) => progress("read", done),
  });
  const labelled = await labelerOf(options, home, context);
  await using labels =
    labelled === undefined
      ? undefined
      : await labelEpisodes(collected, { ...labelled, scratch: home.scratch });
  let files = 0;
  for await (const file of iwaFiles(collected, options, labels?.read())) {
    await writeOne(join(options.output, folder), file);
    files += 1;
  }
  const { episodes, duplicates, putAside } = collected;
  context.out.event({ type: "iwa", episodes, duplicates, putAside, files });
  context.out.text(writtenText(collected, files, join(options.output, folder)));
}

async function writeOne(dir: string, { path, body }: IwaFile): Promise<void> {
  const target = join(dir, path);
  try {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, body);
  } catch (error) {
    const isFull = (error as NodeJS.ErrnoException).code === "ENOSPC";
    throw new TracemillError(isFull ? "storage-full" : "storage-failed", `${target}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function writtenText(collected: Collected, files: number, dir: string): string {
  return [`${collected.episodes} episodes, ${files} files in ${dir}`, ...putAsideLines(collected)].join("\n");
}
