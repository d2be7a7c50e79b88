import { createRedactor } from "@tracemill/core/redact/create.ts";

/** A job's log: one JSON object a line, on standard output, from where it goes to CloudWatch. */
export interface JobLog {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** CloudWatch takes events of up to 256 KiB; nobody reads one of more than this. */
const maxText = 4_000;

/** Lines say what happened, not to whom: a job's log is a stream of its own, whose first line says that. */
export function jsonLog(write: (line: string) => void, now: () => number): JobLog {
  const line =
    (level: "info" | "warn" | "error") =>
    (message: string, fields: LogFields = {}): void => {
      const time = new Date(now()).toISOString();
      write(`${JSON.stringify({ time, level, message, ...fields }, shortened)}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** Errors may quote what a program or a provider said. */
const redactor = createRedactor();

function shortened(_key: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const clean = redactor.text(value);
  return clean.length > maxText ? `${clean.slice(0, maxText)}…` : clean;
}
