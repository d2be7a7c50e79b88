/** Where a command's words go: text for people, JSON lines for machines, never both on one stream. */
export interface Output {
  /** Set by `--json` before a command's action runs. */
  json: boolean;
  /** Whether a person is watching stderr. */
  readonly isTty: boolean;
  /** A line that is drawn again and again at the end of stderr; put aside while another line is written. */
  live: Live | undefined;
  /** A line of the result, for people; silent under `--json`. */
  text(line?: string): void;
  /** A value of the result, for machines: one JSON line; silent without `--json`. */
  event(value: unknown): void;
  /** A remark beside the result (progress, hints), on stderr. */
  note(line: string): void;
}

export interface Live {
  hide(): void;
  show(): void;
}

export interface Streams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown; isTTY?: boolean };
}

export function createOutput(streams: Streams): Output {
  return {
    json: false,
    isTty: streams.stderr.isTTY === true,
    live: undefined,
    text(line = "") {
      if (!this.json) writeLine(streams.stdout, printable(line), this.live);
    },
    event(value) {
      if (this.json) writeLine(streams.stdout, JSON.stringify(value), this.live);
    },
    note(line) {
      writeLine(streams.stderr, printable(line), this.live);
    },
  };
}

/** Text with its control characters spelt out: names and titles are anybody's, and a terminal obeys what it is sent. */
export function printable(text: string): string {
  return text.replaceAll(
    /(?!\r?\n)[^\P{Cc}\t]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function writeLine(stream: { write(text: string): unknown }, line: string, live: Live | undefined): void {
  live?.hide();
  stream.write(`${line}\n`);
  live?.show();
}

/** A reader that has gone (`| head`) ends neither a run nor a listing with a stack: the rest is not written. */
export function tolerateClosedPipes(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
