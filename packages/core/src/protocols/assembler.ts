import type { Fields } from "./fields.ts";

/** What an event added to the answer, for those who watch it come. */
export interface Delta {
  text?: string;
  reasoning?: string;
}

/**
 * Makes a streamed answer into the body that the same request would have had without streaming. Whatever is pushed,
 * nothing is thrown; what no rule fits is left out.
 */
export interface Assembler {
  /** Takes the data of one event, parsed. */
  push(data: unknown): Delta;
  /** The answer so far, good until the next push; `undefined` before anything of one came. */
  body(): Fields | undefined;
  /**
   * `open`: more has to come, so that a stream that ends here broke off; `whole`: the provider said that this is all;
   * `failed`: the provider said in mid-stream that it failed.
   */
  readonly state: "open" | "whole" | "failed";
  /** What the provider said of its failure, as it came. */
  readonly error: unknown;
}
