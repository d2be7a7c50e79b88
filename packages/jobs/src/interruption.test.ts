import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { graceMs, watchInterruption } from "./interruption.ts";
import { jsonLog } from "./log.ts";

function watched() {
  const signals = new EventEmitter() as unknown as NodeJS.Process;
  const lines: string[] = [];
  const exits: number[] = [];
  const interruption = watchInterruption({
    log: jsonLog((line) => lines.push(line), Date.now),
    signals,
    exit: (code) => exits.push(code),
  });
  const send = (name: string) => (signals as unknown as EventEmitter).emit(name, name);
  return { interruption, lines, exits, send, signals: signals as unknown as EventEmitter };
}

describe("a job that is told to stop", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("stops what is in flight and does not leave before that has ended", () => {
    const { interruption, exits, send } = watched();
    expect(interruption.signal.aborted).toBe(false);
    send("SIGTERM");
    expect(interruption.signal.aborted).toBe(true);
    vi.advanceTimersByTime(graceMs - 1);
    expect(exits).toEqual([]);
  });

  test("leaves before it is killed, when something does not end", () => {
    const { exits, lines, send } = watched();
    send("SIGTERM");
    vi.advanceTimersByTime(graceMs);
    expect(exits).toEqual([75]);
    expect(lines.at(-1)).toContain("not stopped 25 s after SIGTERM");
    expect(graceMs).toBeLessThan(30_000);
  });

  test("leaves at once when it is told again", () => {
    const { exits, send } = watched();
    send("SIGTERM");
    send("SIGTERM");
    expect(exits).toEqual([75]);
  });

  test("is left alone once it is done", () => {
    const { interruption, exits, send, signals } = watched();
    send("SIGTERM");
    interruption[Symbol.dispose]();
    vi.advanceTimersByTime(graceMs);
    expect(exits).toEqual([]);
    expect(signals.listenerCount("SIGTERM") + signals.listenerCount("SIGINT")).toBe(0);
  });
});
