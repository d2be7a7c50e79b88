import { TracemillError } from "@tracemill/core/errors.ts";
import { createProductionClient, type ProductionClient } from "@tracemill/core/ingest/client.ts";
import { idOf, isObject } from "@tracemill/core/ingest/json.ts";
import { attemptSolution } from "@tracemill/core/production/attempt-solution.ts";
import { statusOf, waitUntilEvaluated } from "@tracemill/core/production/wait.ts";
import type { WriteDeps, Written } from "@tracemill/core/production/write-once.ts";
import { claimTask, createTask, type Submission, submitSolution } from "@tracemill/core/production/writes.ts";
import { Command, Option } from "commander";
import type { CliContext, LocalHome } from "../context.ts";
import { atLeast } from "../flag-values.ts";
import { readJsonInput } from "../json-input.ts";
import {
  duration,
  type ProductionFlags,
  productionDeps,
  productionInput,
  withProductionFlags,
} from "../production-api.ts";
import { table } from "../tables.ts";
import { openUploads } from "../uploads.ts";

const help = `
Examples:
  tracemill prod tasks --status open --limit 20
  tracemill prod claim 42
  tracemill prod submit 42 solution.json --artifact recording.webm --wait
  tracemill prod submit --attempt trl_0a1b2c…
  tracemill prod wait 9001 --deadline 30m
  echo '{"prompt": "Count the files", "kind": "shell"}' | tracemill prod create -

A write takes effect once: run the same command again whenever you are in doubt. docs/production.md has the rest.`;

const sourceFlag = ["--source <name>", "name under which writes are remembered", "prod"] as const;

const deadlineOption = (words: string): Option =>
  new Option("--deadline <duration>", words).argParser(duration).default(600_000, "10m");

/** `tracemill prod`: everything that the production API offers, beside `ingest`. */
export function prodCommand(context: CliContext): Command {
  return new Command("prod")
    .description("work with the production API: list, create and claim tasks, submit solutions")
    .addCommand(tasksCommand(context))
    .addCommand(taskCommand(context))
    .addCommand(solutionsCommand(context))
    .addCommand(solutionCommand(context))
    .addCommand(createCommand(context))
    .addCommand(claimCommand(context))
    .addCommand(submitCommand(context))
    .addCommand(waitCommand(context))
    .addHelpText("after", help);
}

/** A verb of the API, with the flags that all of them have. */
function verb(usage: string, description: string): Command {
  const [name, ...args] = usage.split(" ");
  const command = new Command(name).description(description);
  for (const arg of args) command.argument(arg);
  return withProductionFlags(command).option("--json", "JSON lines, as the API gives them");
}

function tasksCommand(context: CliContext): Command {
  return verb("tasks", "list tasks")
    .option("--status <status>", "only tasks of this status")
    .option("--search <text>", "only tasks that the API finds by this text")
    .option("--limit <n>", "how many", atLeast(1), 50)
    .action(async (flags: ProductionFlags & { status?: string; search?: string; limit: number }) => {
      const { status, search, limit } = flags;
      const pages = clientOf(flags, context).tasks({ status, search });
      await list(firstOf(pages, limit), ["id", "status", "title"], context);
    });
}

async function* firstOf(pages: AsyncIterable<{ items: unknown[] }>, limit: number): AsyncGenerator<unknown> {
  let left = limit;
  for await (const { items } of pages) {
    yield* items.slice(0, left);
    left -= items.length;
    if (left <= 0) return;
  }
}

function taskCommand(context: CliContext): Command {
  return verb("task <id>", "show a task").action(async (id: string, flags: ProductionFlags) =>
    show(await clientOf(flags, context).task(id), `task ${id}`, context),
  );
}

function solutionsCommand(context: CliContext): Command {
  return verb("solutions <task>", "list the solutions of a task").action(
    async (id: string, flags: ProductionFlags) =>
      list(await clientOf(flags, context).solutions(id), ["id", "evaluation", "score", "agent"], context),
  );
}

function solutionCommand(context: CliContext): Command {
  return verb("solution <id>", "show a solution").action(async (id: string, flags: ProductionFlags) =>
    show(await clientOf(flags, context).solution(id), `solution ${id}`, context),
  );
}

interface WriteFlags extends ProductionFlags {
  source: string;
}

function createCommand(context: CliContext): Command {
  return verb("create <file>", "create a task from JSON; - reads standard input")
    .option(...sourceFlag)
    .action(async (file: string, flags: WriteFlags) => {
      const task = await readJsonInput(file);
      const written = await inWrites(flags, context, (deps) => createTask(task, deps));
      sayWritten("task", written, context);
    });
}

function claimCommand(context: CliContext): Command {
  return verb("claim <task>", "claim a task")
    .option(...sourceFlag)
    .action(async (task: string, flags: WriteFlags) => {
      const written = await inWrites(flags, context, (deps) => claimTask(task, deps));
      sayWritten("claim", written, context);
    });
}

interface SubmitFlags extends WriteFlags {
  attempt?: string;
  artifact?: string[];
  wait?: boolean;
  deadline: number;
}

function submitCommand(context: CliContext): Command {
  return verb("submit [task] [file]", "submit a solution: from JSON, or a finished attempt of ours")
    .option("--attempt <trial>", "submit the last attempt of this trial; trl_…/2 is its second")
    .option("--artifact <file>", "send this file along; may be repeated", append)
    .option("--wait", "wait until it is evaluated")
    .addOption(deadlineOption("how long --wait waits"))
    .option(...sourceFlag)
    .action(async (task: string | undefined, file: string | undefined, flags: SubmitFlags) => {
      if ([file, ...(flags.artifact ?? [])].filter((path) => path === "-").length > 1)
        throw new TracemillError(
          "invalid-input",
          "standard input (-) can be read once; name a file for the others",
        );
      const written = await inWrites(flags, context, async (deps, home) => {
        const { submission, keys } = await submissionOf(task, file, flags, home);
        await using uploads = await openUploads({ paths: flags.artifact ?? [], keys }, home);
        return submitSolution({ ...submission, files: uploads.files }, deps);
      });
      sayWritten("solution", written, context);
      if (flags.wait === true) await awaitVerdict(written.id, flags, context);
    });
}

async function submissionOf(
  task: string | undefined,
  file: string | undefined,
  { attempt }: SubmitFlags,
  home: LocalHome,
): Promise<{ submission: Submission; keys: readonly string[] }> {
  if ((file === undefined) === (attempt === undefined)) {
    throw new TracemillError(
      "invalid-input",
      "give a solution: `submit TASK FILE` (- for standard input), or `submit --attempt TRIAL`",
    );
  }
  if (attempt === undefined) {
    return { submission: { taskId: task ?? "", solution: await readJsonInput(file ?? "") }, keys: [] };
  }
  const { taskId = task, solution, artifacts } = await attemptSolution(attempt, home);
  if (taskId === undefined || (task !== undefined && task !== taskId)) {
    const why = taskId === undefined ? "comes from no production task" : `is of task ${taskId}`;
    throw new TracemillError("invalid-input", `${attempt} ${why}; name the task it belongs to`);
  }
  return { submission: { taskId, solution }, keys: artifacts === undefined ? [] : [artifacts] };
}

function waitCommand(context: CliContext): Command {
  return verb("wait <solution>", "wait until a solution is evaluated")
    .addOption(deadlineOption("how long to wait: 90s, 10m, 2h"))
    .action((id: string, flags: ProductionFlags & { deadline: number }) => awaitVerdict(id, flags, context));
}

async function awaitVerdict(
  id: string,
  flags: ProductionFlags & { deadline: number },
  context: CliContext,
): Promise<void> {
  const { clock, draining: signal, out } = context;
  const onStatus = (status: string): void => out.note(`solution ${id}: ${status}`);
  const client = (stop: AbortSignal): ProductionClient => clientOf(flags, { ...context, draining: stop });
  const deps = { client, clock, signal, onStatus };
  const solution = await waitUntilEvaluated(id, flags.deadline, deps);
  out.event(solution);
  const { evaluation } = solution;
  const score = isObject(evaluation) ? idOf(evaluation.score) : undefined;
  out.text(`solution ${id}: ${statusOf(solution)}${score === undefined ? "" : `, score ${score}`}`);
}

function clientOf(flags: ProductionFlags, context: CliContext): ProductionClient {
  const { token, ...deps } = productionDeps(flags, context);
  const given = Object.entries({ ...productionInput(flags, context), token });
  const options = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  return createProductionClient(options as { baseUrl: string; token: string }, deps);
}

async function inWrites<R>(
  flags: WriteFlags,
  context: CliContext,
  work: (deps: WriteDeps, home: LocalHome) => Promise<R>,
): Promise<R> {
  const { clock, draining: signal, out } = context;
  const client = clientOf(flags, context);
  const home = await context.openHome();
  try {
    const onWait = (text: string): void => out.note(text);
    return await work({ client, records: home.records, clock, source: flags.source, signal, onWait }, home);
  } finally {
    await home.close();
  }
}

function sayWritten(what: string, { id, before }: Written, { out }: CliContext): void {
  out.event({ kind: what, id, before });
  out.text(`${what} ${id}${before ? " (it was there already)" : ""}`);
}

async function list(
  entries: Iterable<unknown> | AsyncIterable<unknown>,
  columns: readonly string[],
  { out }: CliContext,
): Promise<void> {
  const rows: string[][] = [];
  for await (const entry of entries) {
    out.event(entry);
    rows.push(columns.map((column) => (isObject(entry) ? cell(entry, column) : "")));
  }
  out.text(rows.length === 0 ? "none" : table(columns, rows));
}

function cell(entry: Record<string, unknown>, column: string): string {
  if (column === "evaluation") return statusOf(entry);
  const { evaluation } = entry;
  const value = column === "score" ? (isObject(evaluation) ? evaluation.score : undefined) : entry[column];
  const said = idOf(value) ?? (column === "title" ? idOf(entry.prompt) : undefined) ?? "";
  const text = said.replaceAll(/\s+/g, " ");
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function show(found: Record<string, unknown> | undefined, what: string, { out }: CliContext): void {
  if (found === undefined) throw new TracemillError("not-found", `the API has no ${what}`);
  out.event(found);
  out.text(JSON.stringify(found, undefined, 2));
}

function append(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}
