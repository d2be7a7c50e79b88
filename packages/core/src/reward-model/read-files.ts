import { messageOf } from "../errors.ts";
import { parseShallow } from "../ingest/body/limits.ts";
import { aside, type Found, foundEpisode } from "./found.ts";

/** A line of a file of episodes. */
export interface EpisodeLine {
  file: string;
  /** From 1. */
  line: number;
  text: string;
}

/** Episodes of JSONL files, one a line (`raw_evaluations/*.jsonl`). Empty lines are nothing. */
export async function* episodesOfLines(lines: AsyncIterable<EpisodeLine>): AsyncGenerator<Found> {
  for await (const { file, line, text } of lines) {
    if (text.trim() === "") continue;
    const origin = { kind: "file" as const, file, line };
    let value: unknown;
    try {
      value = parseShallow(text);
    } catch (error) {
      yield aside("invalid", `not JSON: ${messageOf(error)}`, origin);
      continue;
    }
    yield foundEpisode(value, origin);
  }
}
