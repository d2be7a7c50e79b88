/** Where a command's words go: text for people, JSON lines for machines, never both on one stream. */
export interface Output {
  /** Set by `--json` before a command's action runs. */
  json: boolean;
  /** Whether a person is watching stderr. */
  readonly isTty: boolean;
  /** A line of the result, for people; silent under `--json`. */
  text(line?: string): void;
  /** A value of the result, for machines: one JSON line; silent without `--json`. */
  event(value: unknown): void;
  /** A remark beside the result (progress, hints), on stderr. */
  note(line: string): void;
}

export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean };
}

export function createOutput(streams: Streams): Output {
  return {
    json: false,
    isTty: streams.stderr.isTTY === true,
    text(line = "") {
      if (!this.json) streams.stdout.write(`${line}\n`);
    },
    event(value) {
      if (this.json) streams.stdout.write(`${JSON.stringify(value)}\n`);
    },
    note(line) {
      streams.stderr.write(`${line}\n`);
    },
  };
}
