import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import type { CapturedSession } from "@tracemill/core/capture/captured-session.ts";
import { openObjectCaptures } from "@tracemill/core/capture/object-captures.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import { timeId } from "@tracemill/core/ids.ts";
import { objectKeys } from "@tracemill/core/keys.ts";
import { openCaptureStore } from "@tracemill/local/capture-store.ts";
import { inCloud, isOnAws, type PlaceOptions } from "../../aws/place.ts";
import type { CliContext, CloudHome } from "../../context.ts";
import { requireWritable } from "../../deps.ts";
import { proxyFiles } from "./proxy-home.ts";

/** A capture store, and how its user would name it. */
export interface Captures {
  store: CaptureStore;
  /** Where all of it is, or one session: a file, or an `s3://` address. */
  locate(sessionId?: string): string;
}

/** Runs `work` on the captures that a command names, and closes them. */
export async function inCaptures<T>(
  options: PlaceOptions,
  context: CliContext,
  work: (captures: Captures) => Promise<T>,
): Promise<T> {
  if (isOnAws(options, context)) {
    return inCloud(options, context, (cloud) => withCaptures(cloudCaptures(cloud, context), work));
  }
  await requireWritable(context.home);
  const file = proxyFiles(context.home).captures;
  const store = openCaptureStore(file, context);
  return withCaptures({ store, locate: () => file }, work);
}

async function withCaptures<T>(captures: Captures, work: (captures: Captures) => Promise<T>): Promise<T> {
  try {
    return await work(captures);
  } finally {
    // Not by `await using`: what the end says of captures that are lost counts more than what came of it before.
    await captures.store[Symbol.asyncDispose]();
  }
}

function cloudCaptures({ objects, locate }: CloudHome, { clock, out }: CliContext): Captures {
  const writer = timeId("cap", clock.now()).slice("cap_".length);
  const store = openObjectCaptures({ objects, clock, writer, onTrouble: (message) => out.note(message) });
  return { store, locate: (sessionId) => locate(objectKeys.captures(sessionId)) };
}

/**
 * The session that a command line names: its name, the start of it that no other has, or `latest`.
 * @throws TracemillError `not-found`, `invalid-input` when several begin so.
 */
export async function chosenSession(reference: string, store: CaptureStore): Promise<CapturedSession> {
  const exact = reference === "latest" ? undefined : await store.find(reference);
  if (exact !== undefined) return exact;
  const all = await Array.fromAsync(store.sessions());
  const found =
    reference === "latest" ? all.slice(-1) : all.filter(({ sessionId }) => sessionId.startsWith(reference));
  const [first, second] = found;
  if (first === undefined) throw notFound(reference);
  if (second === undefined) return first;
  const names = found.slice(0, 5).map(({ sessionId }) => sessionId);
  throw new TracemillError(
    "invalid-input",
    `${reference}: ${found.length} sessions begin so (${names.join(", ")}${found.length > 5 ? ", …" : ""}); give more of the name`,
  );
}

function notFound(reference: string): TracemillError {
  return new TracemillError(
    "not-found",
    reference === "latest"
      ? "nothing is captured here yet; try: tracemill proxy exec -- CMD"
      : `no session ${reference} here; \`tracemill proxy sessions\` lists them`,
  );
}
