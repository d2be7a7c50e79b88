import { StringDecoder } from "node:string_decoder";

/** Longer lines are cut: a progress bar may come as one line without end. */
const maxLine = 500;

/** The last lines of a program's output. */
export class LineTail {
  readonly #lines: string[] = [];
  readonly #keep: number;

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Reads a stream to its end; each of several has its own unfinished line. */
  follow(stream: NodeJS.ReadableStream, onLine: (line: string) => void = () => undefined): void {
    const decoder = new StringDecoder("utf8");
    let open = "";
    const take = (line: string): void => {
      const text = line.slice(0, maxLine).trimEnd();
      if (text === "") return;
      this.#lines.push(text);
      if (this.#lines.length > this.#keep) this.#lines.shift();
      onLine(text);
    };
    stream.on("data", (chunk: Buffer) => {
      // A carriage return alone is how progress bars begin anew.
      const parts = (open + decoder.write(chunk)).split(/\r?\n|\r/);
      open = (parts.pop() ?? "").slice(-maxLine);
      for (const part of parts) take(part);
    });
    stream.on("end", () => take(open));
  }

  /** Oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  get last(): string | undefined {
    return this.#lines.at(-1);
  }
}
