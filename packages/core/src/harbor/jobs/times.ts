import type { Timing } from "./documents.ts";

const zoned = /(Z|[+-]\d\d:?\d\d)$/i;

/**
 * A time that Python wrote, as ours: UTC with milliseconds. Harbor writes job times without a zone, in the local time
 * of its machine, which nothing records: they are read as UTC. `undefined` for what is no time.
 */
export function utcTime(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const time = new Date(zoned.test(text) ? text : `${text}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

/** Milliseconds that a phase took; 0 when it was not begun or not ended. */
export function lengthOf(timing: Timing): number {
  const from = utcTime(timing?.started_at);
  const to = utcTime(timing?.finished_at);
  return from === undefined || to === undefined ? 0 : Math.max(0, Date.parse(to) - Date.parse(from));
}

/** A phase for Harbor: `null` when it took no time, so never took place. */
export function phase(fromMs: number, lengthMs: number): { started_at: string; finished_at: string } | null {
  if (lengthMs <= 0) return null;
  return {
    started_at: new Date(fromMs).toISOString(),
    finished_at: new Date(fromMs + lengthMs).toISOString(),
  };
}
