import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { contextSegments } from "@tracemill/core/atif/context-segments.ts";
import { trajectoryToMessages } from "@tracemill/core/atif/messages.ts";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import type { CapturedSession } from "@tracemill/core/capture/captured-session.ts";
import { cleanedSessionText } from "@tracemill/core/capture/cleaned-session.ts";
import { sessionStreamToTrajectory } from "@tracemill/core/capture/to-atif.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { diskError } from "@tracemill/local/disk.ts";
import { Command, Option } from "commander";
import { type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext } from "../../context.ts";
import { type Captures, chosenSession, inCaptures } from "./captures.ts";
import { agentOf } from "./session-agent.ts";

const formats = ["atif", "sft", "cleaned", "exchanges"] as const;
type Format = (typeof formats)[number];

interface Options extends PlaceOptions {
  format: Format;
  out?: string;
}

const help = `
Examples:
  tracemill proxy export latest --format atif
  tracemill proxy export run-1 run-2 --format sft --out rows.jsonl

atif       one trajectory a line (Harbor's format)
sft        one conversation a line: {row_id, messages, tools, agent, model}; a session
           whose context was summarised has several
cleaned    one document a line: {session_id, created_at, traces}
exchanges  one exchange a line, as it was captured`;

/** `tracemill proxy export`. */
export function exportCommand(context: CliContext): Command {
  return withPlace(new Command("export"))
    .description("write captured sessions as JSON lines")
    .argument("<session...>", "names, starts of names, or `latest`")
    .addOption(new Option("--format <format>", "what to write").choices(formats).default("atif"))
    .option("--out <file>", "a file, replaced when it is there (default: standard output)")
    .addHelpText("after", help)
    .action((references: string[], options: Options) =>
      inCaptures(options, context, (captures) => exportSessions(references, options, captures, context)),
    );
}

async function exportSessions(
  references: readonly string[],
  { format, out: file }: Options,
  { store }: Captures,
  { out }: CliContext,
): Promise<void> {
  // Before the file is opened: a name that is none shall not cost what it holds.
  const sessions: CapturedSession[] = [];
  for (const reference of references) sessions.push(await chosenSession(reference, store));
  const text = textOfSessions(sessions, format, store);
  if (file === undefined) {
    await pipeline(text, process.stdout, { end: false });
    return;
  }
  await pipeline(text, createWriteStream(file)).catch((error) => {
    throw diskError(error, file);
  });
  out.note(`${references.length} ${references.length === 1 ? "session" : "sessions"} written to ${file}`);
}

async function* textOfSessions(
  sessions: readonly CapturedSession[],
  format: Format,
  store: CaptureStore,
): AsyncGenerator<string> {
  for (const session of sessions) {
    const exchanges = store.exchanges(session.sessionId);
    switch (format) {
      case "exchanges":
        for await (const exchange of exchanges) yield `${JSON.stringify(exchange)}\n`;
        break;
      case "cleaned":
        yield* cleanedSessionText(session, exchanges);
        yield "\n";
        break;
      case "atif":
        yield `${JSON.stringify(await trajectoryOf(session.sessionId, store))}\n`;
        break;
      case "sft":
        for (const row of sftRows(session.sessionId, await trajectoryOf(session.sessionId, store)))
          yield `${JSON.stringify(row)}\n`;
        break;
    }
  }
}

/** A session as a trajectory. @throws TracemillError `invalid-input` when no model was asked in it. */
export async function trajectoryOf(sessionId: string, store: CaptureStore): Promise<Trajectory> {
  return sessionStreamToTrajectory(store.exchanges(sessionId), await sessionAgent(sessionId, store));
}

/** What asked first. */
async function sessionAgent(sessionId: string, store: CaptureStore) {
  for await (const exchange of store.exchanges(sessionId)) {
    if (exchange.protocol !== undefined) return agentOf(exchange);
  }
  throw new TracemillError(
    "invalid-input",
    `session ${sessionId} asked no model; export it with --format exchanges`,
  );
}

/** One for each conversation that the model had: several where its context was replaced on the way. */
function sftRows(sessionId: string, trajectory: Trajectory) {
  const { name, model_name: model } = trajectory.agent;
  return contextSegments(trajectory).map((segment, index) => {
    const { messages, tools } = trajectoryToMessages(segment);
    const rowId = index === 0 ? sessionId : `${sessionId}/context-${index + 1}`;
    return { row_id: rowId, messages, tools, agent: name, model: model ?? null };
  });
}
