import { rm } from "node:fs/promises";
import type { IngestReject } from "@tracemill/core/ingest/manifest.ts";
import { type LineFile, openLineFile } from "./line-file.ts";
import type { Output } from "./output.ts";

/**
 * What an ingest into one file put aside: `NAME.rejects.jsonl` beside `NAME.jsonl`, made only when there is
 * something to put in. Beside standard output: words on stderr.
 */
export class RejectFile {
  /** Where to look. */
  readonly place: string;
  readonly #out: Output;
  readonly #onStderr: boolean;
  #file: LineFile | undefined;

  constructor(output: string, out: Output) {
    this.#onStderr = output === "-";
    this.place = this.#onStderr ? "see above" : `${output.replace(/\.jsonl$/, "")}.rejects.jsonl`;
    this.#out = out;
  }

  async add(reject: IngestReject): Promise<void> {
    if (this.#onStderr) {
      const whose = reject.taskId === undefined ? "without an id" : reject.taskId;
      this.#out.note(
        `put aside: ${reject.kind === "task" ? "task" : "solution of task"} ${whose}: ${reject.reason}`,
      );
      return;
    }
    this.#file ??= await openLineFile(this.place);
    await this.#file.write(JSON.stringify(reject));
  }

  /** Puts the file in its place; without rejects, one of an earlier ingest is taken away. */
  async commit(): Promise<void> {
    if (this.#file !== undefined) await this.#file.commit();
    else if (!this.#onStderr) await rm(this.place, { force: true });
  }

  async discard(): Promise<void> {
    await this.#file?.discard();
  }
}
