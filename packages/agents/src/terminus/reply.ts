/** Keys to type, and how long to wait for what comes of them. */
export interface Command {
  keystrokes: string;
  /** 0 to 60. */
  seconds: number;
}

/** What a model wants done, as its reply says it. */
export interface Reply {
  commands: Command[];
  complete: boolean;
  /** What was wrong with the reply's form, and was read all the same. */
  warnings: string[];
}

/** A reply as it could be read; `error` when nothing in it is to be done. */
export type ReadReply = Reply | { error: string; warnings: string[] };

/** One of the forms in which models reply. */
export interface ReplyForm {
  name: "json" | "xml";
  /** @param isCut the answer ended at its output limit: what is whole in it counts, the rest does not. */
  read(text: string, isCut: boolean): ReadReply;
  /** A reply of this form. */
  write(reply: { analysis: string; plan: string } & Pick<Reply, "commands" | "complete">): string;
}

/** Longest wait for one command, in seconds. */
export const maxSeconds = 60;
const defaultSeconds = 1;
const maxWarnings = 10;

/** The warnings of one reply, of which a model sees the first ten. */
export class Warnings {
  readonly list: string[] = [];

  add(text: string): void {
    if (this.list.length < maxWarnings && !this.list.includes(text)) this.list.push(text);
  }
}

/** The wait that a command asks for: a number of seconds, or its text. */
export function secondsOf(asked: unknown, place: string, warnings: Warnings): number {
  const number = typeof asked === "string" && asked.trim() !== "" ? Number(asked) : asked;
  if (typeof number !== "number" || Number.isNaN(number)) {
    const what = asked === undefined ? "no duration" : "a duration that is no number";
    warnings.add(`${place} has ${what}; waited ${defaultSeconds} s`);
    return defaultSeconds;
  }
  if (number > maxSeconds)
    warnings.add(`${place} asked for a longer wait than ${maxSeconds} s, the most there is`);
  return Math.min(Math.max(number, 0), maxSeconds);
}

/** Commands that would run together on one line are most often a slip. */
export function warnOfJoined(commands: readonly Command[], warnings: Warnings): void {
  for (const [index, { keystrokes }] of commands.slice(0, -1).entries()) {
    const isLine = /[^\s]\s[^\s]/.test(keystrokes) && !keystrokes.endsWith("\n");
    if (isLine)
      warnings.add(
        `command ${index + 1} does not end with a newline: the next one was typed on the same line`,
      );
  }
}

/** What a model thought aloud before its reply, where the server leaves that in the text. */
export function withoutThoughts(text: string): string {
  const end = text.lastIndexOf("</think>");
  return end < 0 ? text : text.slice(end + "</think>".length);
}
