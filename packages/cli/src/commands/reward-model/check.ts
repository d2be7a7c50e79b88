import { recheckEpisode } from "@tracemill/core/reward-model/checks/recheck.ts";
import { type CheckCounts, CheckReport, disagrees } from "@tracemill/core/reward-model/checks/report.ts";
import type { Recheck } from "@tracemill/core/reward-model/checks/verdict.ts";
import type { Found } from "@tracemill/core/reward-model/found.ts";
import { Command } from "commander";
import { inHome, type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext, Home } from "../../context.ts";
import { table } from "../../tables.ts";
import { episodesOfAll, inputOf } from "./inputs.ts";

const help = `
Examples:
  tracemill reward-model check prod
  tracemill reward-model check raw_evaluations/ --json

Decides the checks backend_event:NAME and dom:NAME again from the recorded pages and events, and compares with what
the source says. With --json: one line for each disagreement, then one for each check. Writes nothing.`;

/** Disagreements that are told to people one by one. */
const mostTold = 20;

export function checkCommand(context: CliContext): Command {
  return withPlace(new Command("check"))
    .description("decide recorded checks again, and say where the source disagrees")
    .argument("<inputs...>", "sources, runs, files or folders of episodes")
    .option("--json", "JSON lines")
    .addHelpText("after", help)
    .action((words: string[], options: PlaceOptions) =>
      inHome(options, context, (home) => check(words, home, context)),
    );
}

async function check(words: readonly string[], home: Home, context: CliContext): Promise<void> {
  const { out } = context;
  const signal = AbortSignal.any([context.signal, context.draining]);
  const inputs = await Promise.all(words.map((word) => inputOf(word, home)));
  const report = new CheckReport();
  let told = 0;
  for await (const { episodeId, recheck } of rechecks(episodesOfAll(inputs, home, signal))) {
    signal.throwIfAborted();
    report.add(recheck);
    if (!disagrees(recheck)) continue;
    out.event({ type: "disagreement", episode_id: episodeId, ...recheck });
    told += 1;
    if (told <= mostTold) out.text(disagreementText(episodeId, recheck));
  }
  if (told > mostTold) out.text(`… and ${told - mostTold} more; --json has all`);
  const counts = report.list();
  for (const one of counts) out.event({ type: "check", ...one });
  out.text(
    counts.length === 0 ? "no checks in these episodes" : `${told === 0 ? "" : "\n"}${checksTable(counts)}`,
  );
}

async function* rechecks(found: AsyncIterable<Found>) {
  for await (const one of found) {
    if ("problem" in one) continue;
    const { episode } = one;
    for (const recheck of recheckEpisode(episode)) yield { episodeId: episode.episode_id, recheck };
  }
}

function disagreementText(episodeId: string, { name, claimed, step, found }: Recheck): string {
  const where = step === undefined ? episodeId : `${episodeId} step ${step}`;
  const evidence = found.verdict === "unknown" ? found.reason : found.evidence;
  return `${where}: ${name} is said to have ${claimed ? "passed" : "failed"}, but ${evidence}`;
}

/** How sources and recordings agree, a line a check. */
export function checksTable(counts: readonly CheckCounts[]): string {
  return table(
    ["check", "agree", "claimed passed", "claimed failed", "unknown", "unclaimed"],
    counts.map(({ name, agree, claimedPassed, claimedFailed, unknown, unclaimed }) => [
      name,
      ...[agree, claimedPassed, claimedFailed, unknown, unclaimed].map(String),
    ]),
  );
}
