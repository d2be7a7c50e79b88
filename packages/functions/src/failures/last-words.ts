import { messageOf } from "@tracemill/core/errors.ts";
import * as z from "zod";
import type { JobLogs, Log } from "../ports.ts";

/** How a job's log ends: one JSON object a line, the last of which says why it failed. */
const LogLine = z.looseObject({
  level: z.string().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
});

/** Lines that are looked at, and characters of a reason that are kept. */
const lines = 20;
const longest = 1_000;

/**
 * What a job said at its end about why it failed; `undefined` when it said nothing that is understood. Reading a
 * log is only a help: when it fails, the failure is recorded without it.
 */
export async function lastWords(
  logStream: string | undefined,
  { jobLogs, log }: { jobLogs: JobLogs; log: Log },
): Promise<string | undefined> {
  if (logStream === undefined) return undefined;
  try {
    const texts = await jobLogs.tail(logStream, lines);
    return texts
      .toReversed()
      .map(wordsIn)
      .find((text) => text !== undefined)
      ?.slice(0, longest);
  } catch (error) {
    log.warn("a job's log cannot be read", { logStream, reason: messageOf(error) });
    return undefined;
  }
}

function wordsIn(line: string): string | undefined {
  const parsed = LogLine.safeParse(parseJson(line));
  if (!parsed.success || parsed.data.level?.toLowerCase() !== "error") return undefined;
  const { reason, error, message } = parsed.data;
  return reason ?? error ?? message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
