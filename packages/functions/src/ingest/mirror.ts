import type { IngestMessage } from "@tracemill/aws/pipeline/messages.ts";
import { productionToken } from "@tracemill/aws/pipeline/production.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { completedSince, markAnnounced, openFiring } from "@tracemill/core/ingest/firing.ts";
import { type IngestDeps, ingestSnapshot } from "@tracemill/core/ingest/snapshot.ts";
import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import type { WorkQueue } from "@tracemill/core/ports/work-queue.ts";
import type { Deadline } from "../deadline.ts";
import type { Events, Log } from "../ports.ts";
import { isDisplaced } from "./firing.ts";

/** Invocations of some 14 minutes each: a day and more. A source that takes longer is stuck, not large. */
const maxHops = 120;

export interface MirrorDeps extends Omit<IngestDeps, "token" | "signal" | "onProgress"> {
  queue: Pick<WorkQueue, "send">;
  events: Events;
  secrets: SecretStore;
  /** This deployment: others in the account publish on the same bus. */
  stage: string;
  /** What secrets of this stage are called: `<prefix><NAME>`. */
  secretPrefix: string;
  /** For sources that name no `baseUrl`. */
  prodBaseUrl: string | undefined;
  log: Log;
}

/** What an invocation did for a source. */
export type Mirrored =
  /** A whole snapshot is stored and announced. */
  | { status: "complete"; snapshotId: string }
  /** The time ran short: a message in the queue makes another invocation go on. */
  | { status: "continued"; hop: number }
  /** Another invocation is at work on it. */
  | { status: "displaced" };

/**
 * Mirrors a source as far as the function's time allows, and announces the snapshot once it is whole. The message
 * may come twice, late and out of order: its firing is worked off once.
 * @throws TracemillError what no other invocation is at work to mend: `unauthorized`, `invalid-input`,
 *   `source-unavailable`, `source-protocol`, `conflict` (an unfinished snapshot with other settings), `storage-*`.
 */
export async function mirrorSource(
  { source, hop, firing }: IngestMessage & { firing: string },
  deadline: Deadline,
  deps: MirrorDeps,
): Promise<Mirrored> {
  const row = await openFiring(source.name, firing, deps.records);
  if (row.announced !== undefined) return { status: "complete", snapshotId: row.announced };
  try {
    const snapshotId = (await completedSince(row, deps.records)) ?? (await ingest(source, deadline, deps));
    const detail = { stage: deps.stage, source: source.name, snapshotId };
    await deps.events.publish({ type: "SnapshotCompleted", detail });
    await markAnnounced(row, snapshotId, deps.records);
    deps.log.info("snapshot completed", { source: source.name, snapshotId, firing, hop });
    return { status: "complete", snapshotId };
  } catch (error) {
    if (deadline.caused(error)) return passOn({ source, hop: hop + 1, firing }, deps);
    if (!isDisplaced(error)) throw error;
    deps.log.info("another invocation has the source", { source: source.name, firing, hop });
    return { status: "displaced" };
  }
}

async function ingest(
  { name, kind: _, baseUrl = undefined, ...query }: IngestMessage["source"],
  deadline: Deadline,
  deps: MirrorDeps,
): Promise<string> {
  const address = baseUrl ?? deps.prodBaseUrl;
  if (typeof address !== "string") {
    throw new TracemillError(
      "invalid-input",
      `source ${name}: \`baseUrl\` is missing; add it to the schedule`,
    );
  }
  const { token, tokenName } = await productionToken(deps);
  const input = { tokenName, ...query, source: name, baseUrl: address };
  const manifest = await ingestSnapshot(input, { ...deps, token, signal: deadline.signal });
  return manifest.snapshotId;
}

async function passOn(message: IngestMessage, { queue, log }: MirrorDeps): Promise<Mirrored> {
  const { source, hop, firing } = message;
  if (hop > maxHops) {
    throw new TracemillError(
      "timeout",
      `source ${source.name}: not whole after ${maxHops} invocations; look at its API, or mirror less (\`maxTasks\`)`,
    );
  }
  await queue.send(message);
  log.info("another invocation goes on", { source: source.name, firing, hop });
  return { status: "continued", hop };
}
