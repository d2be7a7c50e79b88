import type { CapturedSession } from "@tracemill/core/capture/captured-session.ts";
import type { RedactionCounts } from "@tracemill/core/redact/redactor.ts";
import { Command } from "commander";
import { type PlaceOptions, withPlace } from "../../aws/place.ts";
import type { CliContext } from "../../context.ts";
import { table } from "../../tables.ts";
import { type Captures, inCaptures } from "./captures.ts";

/** `tracemill proxy sessions`. */
export function sessionsCommand(context: CliContext): Command {
  return withPlace(new Command("sessions"))
    .description("list what was captured, oldest first")
    .option("--json", "one JSON line a session")
    .action((options: PlaceOptions) =>
      inCaptures(options, context, (captures) => listSessions(captures, context)),
    );
}

async function listSessions({ store }: Captures, { out }: CliContext): Promise<void> {
  const rows: string[][] = [];
  for await (const session of store.sessions()) {
    out.event(session);
    rows.push(rowOf(session));
  }
  const head = [
    "session",
    "started",
    "asked",
    "failed",
    "other",
    "models",
    "tokens in",
    "out",
    "usd",
    "redacted",
  ];
  out.text(
    rows.length === 0 ? "nothing is captured here yet; try: tracemill proxy exec -- CMD" : table(head, rows),
  );
}

function rowOf({
  sessionId,
  startedAt,
  exchanges,
  modelExchanges,
  failed,
  models,
  usage,
  redactions,
}: CapturedSession): string[] {
  return [
    sessionId,
    startedAt.slice(0, 19).replace("T", " "),
    String(modelExchanges),
    String(failed),
    String(exchanges - modelExchanges),
    models.join(", "),
    usage.promptTokens.toLocaleString("en-US"),
    usage.completionTokens.toLocaleString("en-US"),
    usage.costUsd === undefined ? "" : usage.costUsd.toFixed(4),
    redactionText(redactions),
  ];
}

/** `email 2, openai-key 1`; empty when nothing was taken out. */
export function redactionText(redactions: RedactionCounts): string {
  return Object.entries(redactions)
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
}
