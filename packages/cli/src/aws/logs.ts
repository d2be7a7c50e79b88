import type { LogLine } from "@tracemill/aws/control/logs.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { recordKeys } from "@tracemill/core/keys.ts";
import type { RunRecord } from "@tracemill/core/run/run.ts";
import { listRuns, readRun } from "@tracemill/core/run/runs.ts";
import { chosenRun } from "../chosen-run.ts";
import type { CliContext, CloudHome } from "../context.ts";
import { concernsFunctions, type JobStreams, jobStreams, type LogFilter } from "./log-sources.ts";
import { logText } from "./log-text.ts";

export interface LogOptions extends LogFilter {
  follow?: boolean;
  /** Milliseconds before now; default: since the run was made. */
  since?: number;
}

/** How often a followed run's jobs are looked up anew: new ones come, and listing them takes some calls. */
const refreshMs = 20_000;

/** Prints what the functions and jobs of a run said, oldest first; for a trial, the lines that name it. */
export async function sayLogs(
  reference: string,
  options: LogOptions,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  const isTrial = reference.startsWith("trl_");
  const run = isTrial ? await runOfTrial(reference, cloud) : await chosenRun(reference, cloud);
  const { clock } = context;
  const since = options.since === undefined ? Date.parse(run.createdAt) : clock.now() - options.since;
  const sources = isTrial
    ? [trialSource(reference, since, cloud)]
    : runSources(run, since, options, cloud, context);
  if (options.follow === true) await followAll(sources, run, cloud, context);
  else await readAll(sources, run, context);
}

async function readAll(sources: readonly Source[], run: RunRecord, context: CliContext): Promise<void> {
  let lines = 0;
  for await (const line of inOrder(sources.map((source) => source.read()))) {
    lines += 1;
    say(line, context);
  }
  if (lines > 0) return;
  context.out.note(
    run.status === "running"
      ? "no lines yet; they show up some seconds after they were written"
      : "no lines: nothing like that was said in this run, or it is no longer kept",
  );
}

interface Labelled extends LogLine {
  /** Whose line it is, in a word. */
  from: string;
}

interface Source {
  read(): AsyncGenerator<Labelled>;
  follow(signal: AbortSignal): AsyncGenerator<Labelled>;
}

function trialSource(trialId: string, since: number, { logs, stack }: CloudHome): Source {
  const search = { group: stack.logGroups.jobs, containing: trialId, since };
  return {
    read: () => labelled(logs.read(search), () => trialId),
    follow: (signal) => labelled(logs.follow(search, { signal }), () => trialId),
  };
}

function runSources(
  run: RunRecord,
  since: number,
  filter: LogFilter,
  cloud: CloudHome,
  context: CliContext,
): Source[] {
  const jobs = jobSource(run.runId, since, filter, cloud, context);
  if (!concernsFunctions(filter)) return [jobs];
  const { logs, stack } = cloud;
  const search = { group: stack.logGroups.functions, containing: run.runId, since };
  // A stream of a function is called `date/name[version]id`.
  const name = (stream: string): string => /\/([\w-]+)\[/.exec(stream)?.[1] ?? "function";
  const functions: Source = {
    read: () => labelled(logs.read(search), name),
    follow: (signal) => labelled(logs.follow(search, { signal }), name),
  };
  return [functions, jobs];
}

function jobSource(
  runId: string,
  since: number,
  filter: LogFilter,
  cloud: CloudHome,
  { clock, out }: CliContext,
): Source {
  let known: JobStreams = new Map();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let warned = false;
  const streams = async (): Promise<string[]> => {
    if (clock.now() - lookedAt >= refreshMs) {
      lookedAt = clock.now();
      const found = await jobStreams(runId, filter, cloud);
      known = found.streams;
      if (found.more && !warned)
        out.note("note: not all of the run's jobs are shown; --shard or --only narrow it");
      warned ||= found.more;
    }
    return [...known.keys()];
  };
  const group = cloud.stack.logGroups.jobs;
  const label = (stream: string): string => known.get(stream) ?? stream;
  return {
    async *read() {
      yield* labelled(cloud.logs.read({ group, streams: await streams(), since }), label);
    },
    follow: (signal) => labelled(cloud.logs.follow({ group, streams, since }, { signal }), label),
  };
}

async function* labelled(
  lines: AsyncIterable<LogLine>,
  name: (stream: string) => string,
): AsyncGenerator<Labelled> {
  for await (const line of lines) yield { ...line, from: name(line.stream) };
}

/** Merges what is in the order of time. */
async function* inOrder(sources: AsyncGenerator<Labelled>[]): AsyncGenerator<Labelled> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    const open = heads.flatMap((head, index) => (head.done === true ? [] : [{ index, line: head.value }]));
    const [first] = open.toSorted((a, b) => a.line.at - b.line.at);
    const source = sources[first?.index ?? -1];
    if (first === undefined || source === undefined) return;
    yield first.line;
    heads[first.index] = await source.next();
  }
}

/** Follows all sources until the user leaves, or the run has ended and its last lines have come in. */
async function followAll(
  sources: readonly Source[],
  run: RunRecord,
  cloud: CloudHome,
  context: CliContext,
): Promise<void> {
  if (context.interruptWords !== undefined) context.interruptWords.first = "leaving; the run goes on in AWS";
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, context.draining]);
  const following = sources.map(async (source) => {
    for await (const line of source.follow(signal)) say(line, context);
  });
  await Promise.all([...following, endWithRun(run.runId, ended, signal, cloud, context)]).finally(() =>
    ended.abort(),
  );
  if (context.draining.aborted) context.exitCode = 130;
}

/** Lines show up some seconds after they were written, so one more look is taken after the run's end. */
async function endWithRun(
  runId: string,
  ended: AbortController,
  signal: AbortSignal,
  { records }: CloudHome,
  { clock }: CliContext,
): Promise<void> {
  while (!signal.aborted) {
    const { status } = await readRun(runId, records);
    await clock.sleep(refreshMs, signal).catch(() => undefined);
    if (status !== "running") ended.abort();
  }
}

function say(line: Labelled, { out }: CliContext): void {
  out.event({ type: "log", ...line });
  if (!out.json) out.text(`${new Date(line.at).toISOString()} ${line.from}: ${logText(line.message)}`);
}

async function runOfTrial(trialId: string, { records }: CloudHome): Promise<RunRecord> {
  for await (const run of listRuns(records, { newestFirst: true })) {
    if ((await records.get(recordKeys.trial(run.runId, trialId))) !== undefined) return run;
  }
  throw new TracemillError(
    "not-found",
    `no trial ${trialId} that anybody began here; \`tracemill show RUN --trials\` lists trials`,
  );
}
