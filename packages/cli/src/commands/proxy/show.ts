import { cleanedSessionText } from "@tracemill/core/capture/cleaned-session.ts";
import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";
import { Command } from "commander";
import { type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext } from "../../context.ts";
import { table } from "../../tables.ts";
import { type Captures, chosenSession, inCaptures } from "./captures.ts";
import { trajectoryOf } from "./export.ts";
import { redactionText } from "./sessions.ts";

interface Options extends PlaceOptions {
  json?: true;
  atif?: true;
}

const help = `
SESSION is a name, the start of one, or \`latest\`.`;

/** `tracemill proxy show`. */
export function showCommand(context: CliContext): Command {
  return withPlace(new Command("show"))
    .description("show one session's exchanges")
    .argument("<session>", "name, start of a name, or `latest`")
    .option("--json", "the session as one document: {session_id, created_at, traces}")
    .option("--atif", "the session as an ATIF trajectory")
    .addHelpText("after", help)
    .action((reference: string, options: Options) =>
      inCaptures(options, context, (captures) => showSession(reference, options, captures, context)),
    );
}

async function showSession(
  reference: string,
  { json, atif }: Options,
  { store, locate }: Captures,
  { out }: CliContext,
): Promise<void> {
  const session = await chosenSession(reference, store);
  const exchanges = store.exchanges(session.sessionId);
  if (atif === true)
    return write([JSON.stringify(await trajectoryOf(session.sessionId, store), undefined, 2), "\n"]);
  if (json === true) {
    await write(cleanedSessionText(session, exchanges));
    return write(["\n"]);
  }
  const rows: string[][] = [];
  for await (const exchange of exchanges) rows.push(rowOf(exchange, rows.length + 1));
  out.text(table(["#", "ended", "request", "status", "model", "in", "out", "ms", "error"], rows));
  const redacted = redactionText(session.redactions);
  out.text(`\n${session.exchanges} exchanges${redacted === "" ? "" : `; taken out: ${redacted}`}`);
  out.text(`in ${locate(session.sessionId)}`);
}

/** Straight to standard output: a session may be larger than a line may be. */
async function write(pieces: Iterable<string> | AsyncIterable<string>): Promise<void> {
  for await (const piece of pieces) {
    if (!process.stdout.write(piece)) await new Promise((drained) => process.stdout.once("drain", drained));
  }
}

function rowOf(exchange: HttpExchange, number: number): string[] {
  const { endedAt, startedAt, method, url, response, model, usage, error } = exchange;
  return [
    String(number),
    endedAt.slice(11, 19),
    `${method} ${url.replace(/^https:\/\//, "").replace(/\?.*$/, "")}`,
    String(response?.status ?? ""),
    model ?? "",
    usage === undefined ? "" : String(usage.promptTokens),
    usage === undefined ? "" : String(usage.completionTokens),
    String(Date.parse(endedAt) - Date.parse(startedAt)),
    error ?? "",
  ];
}
