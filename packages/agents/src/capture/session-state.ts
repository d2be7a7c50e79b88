import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { messageOf } from "@tracemill/core/errors.ts";
import type { ReachedCap } from "@tracemill/core/ports/agent.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import type { CaptureSession } from "./capture.ts";

/** What the proxy knows of a session besides what it was given. Goes with the session. */
export interface SessionState {
  readonly session: CaptureSession;
  /** Says which cap is reached, or counts a request; once all answers that have ended are counted. */
  admit(): Promise<ReachedCap | undefined>;
  /** Counts what an answer used; once a cap is reached by it, `admit` says so. */
  spend(usage: Usage): void;
  /** Takes a credential that passes out of all records from now on. */
  hide(credential: string): void;
  /** A client's connection, or an answer to it, that ends with the session. */
  hold(connection: Duplex | ServerResponse): void;
  /** Takes note of an exchange that has ended. `onProblem` is told when it cannot be recorded. */
  settle(
    ended: { counted: Promise<void>; recorded: Promise<void> },
    onProblem: (error: unknown) => void,
  ): void;
  /** Ends what is open; resolves once all exchanges are recorded. */
  end(): Promise<void>;
}

/** A client that shows a new credential with each request shall not fill the memory. */
const mostCredentials = 100;

/** Shorter ones are placeholders (`dummy`, `none`), which stand in texts for other reasons. */
const shortestCredential = 12;

export interface SessionStates {
  of(session: CaptureSession): SessionState;
  /** @returns whether all exchanges of all sessions that have ended are recorded, which is waited for so long. */
  settled(ms: number): Promise<boolean>;
}

export function sessionStates(): SessionStates {
  const states = new WeakMap<CaptureSession, SessionState>();
  const recording = new Set<Promise<void>>();
  return {
    of: (session) => {
      const known = states.get(session) ?? newState(session, recording);
      states.set(session, known);
      return known;
    },
    settled: (ms) => within(ms, allOf(recording)),
  };
}

function newState(session: CaptureSession, recordingOfAll: Set<Promise<void>>): SessionState {
  const hidden = new Set<string>();
  const open = new Set<Duplex | ServerResponse>();
  const counting = new Set<Promise<void>>();
  const recording = new Set<Promise<void>>();
  let reached: ReachedCap | undefined;
  const hide = (credential: string): void => {
    const value = credential.replace(/^(?:Bearer|Basic|Token)\s+/i, "").trim();
    if (value.length < shortestCredential || hidden.has(value) || hidden.size >= mostCredentials) return;
    hidden.add(value);
    session.redactor.addSecret(value, "credential");
  };
  for (const [name, value] of Object.entries(session.upstream?.headers ?? {}))
    if (isSecret(name)) hide(value);
  return {
    session,
    admit: async () => {
      await allOf(counting);
      reached ??= session.budget?.reached ?? session.budget?.admit();
      return reached;
    },
    spend: (usage) => {
      try {
        session.budget?.spend(usage);
      } catch (error) {
        reached = session.budget?.reached ?? { kind: "budget", reason: messageOf(error) };
      }
    },
    hide,
    hold: (connection) => {
      // The close of one that is gone is past: waiting for it would last for ever.
      if (open.has(connection) || connection.destroyed) return;
      open.add(connection);
      connection.once("close", () => open.delete(connection));
    },
    end: async () => {
      const closed = [...open].map((connection) => once(connection, "close").catch(() => undefined));
      for (const connection of open) connection.destroy();
      await Promise.all(closed);
      await allOf(recording);
    },
    settle: ({ counted, recorded }, onProblem) => {
      track(
        counting,
        counted.catch(() => undefined),
      );
      const kept = recorded.catch(onProblem);
      track(recording, kept);
      track(recordingOfAll, kept);
    },
  };
}

async function allOf(open: ReadonlySet<Promise<void>>): Promise<void> {
  while (open.size > 0) await Promise.all(open);
}

async function within(ms: number, work: Promise<void>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const done = work.then(() => true);
  return Promise.race([done, promise]).finally(() => clearTimeout(timer));
}

function track(open: Set<Promise<void>>, work: Promise<void>): void {
  open.add(work);
  work.finally(() => open.delete(work)).catch(() => undefined);
}

function isSecret(header: string): boolean {
  return /auth|key|token|secret|cookie/i.test(header);
}
