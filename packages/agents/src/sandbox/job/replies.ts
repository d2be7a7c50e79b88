import type { Socket } from "node:net";

/** Each says whether the reply made sense at that moment. */
export interface ReplyHandlers {
  ready(): boolean;
  /** The streams of a request are open on the other side. */
  began(id: number): boolean;
  done(id: number, code: number): boolean;
  /** Too much of what came made no sense. */
  broken(): void;
}

/** The longest reply has some twenty characters. */
const maxLine = 64;

/** A box that says more nonsense than this is not listened to any more: it would keep the worker busy. */
const maxNonsense = 100;

const reply = /^(?:(ready)|began (\d{1,9})|done (\d{1,9}) (\d{1,3}))$/;

/** Reads what a box says, line by line, whatever it sends. */
export function followReplies(source: Socket, handlers: ReplyHandlers): void {
  let line = "";
  let nonsense = 0;
  const onLine = (text: string): void => {
    if (takeReply(text, handlers)) return;
    nonsense += 1;
    if (nonsense === maxNonsense) handlers.broken();
  };
  source.on("data", (chunk: Buffer) => {
    const lines = (line + chunk.toString("latin1")).split("\n");
    line = (lines.pop() ?? "").slice(0, maxLine);
    for (const text of lines) onLine(text.slice(0, maxLine));
  });
}

function takeReply(text: string, handlers: ReplyHandlers): boolean {
  const match = reply.exec(text);
  if (match === null) return false;
  const [, ready, began, done, code] = match;
  if (ready !== undefined) return handlers.ready();
  if (began !== undefined) return handlers.began(Number(began));
  return handlers.done(Number(done), Math.min(Number(code), 255));
}
