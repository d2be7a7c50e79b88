import type { IBufferLine, IMarker, Terminal as XTerm } from "@xterm/headless";
import { Excerpt, excerptOf } from "./excerpt.ts";

/** Lines above the screen: more than one piece of output can hold, so that none is lost before it is read. */
const scrollback = 1_200;
const pieceBytes = 1_024;
/** What one look at the screen gives at most. */
export const maxViewBytes = 10_000;

export interface View {
  /** `new`: what came since the last look; `screen`: all that is to be seen now. */
  kind: "new" | "screen";
  text: string;
}

/** An empty screen. The emulator is loaded here: programs that only plan runs are bundled without it. */
export async function openScreen(size: { cols: number; rows: number }): Promise<Screen> {
  const { default: xterm } = await import("@xterm/headless");
  // Its log goes to the console, at length for every byte of binary output that is no sequence of a terminal's.
  return new Screen(new xterm.Terminal({ ...size, scrollback, allowProposedApi: true, logLevel: "off" }));
}

/**
 * The screen of a terminal, kept from what programs print. Each look says what is new since the last one where that can
 * be told: where the lines that were seen still stand as they were. Otherwise, and in full-screen programs, it gives the
 * whole screen.
 */
export class Screen {
  readonly #term: XTerm;
  /** First line that has not been read off; what is above it has been. */
  #unread: IMarker | undefined;
  /** Lines of the last look, from `#unread` on, that have to come again before new ones; the last of them may have grown. */
  #seen: string[] = [];
  #news = new Excerpt(maxViewBytes);
  /** Something that was seen has changed: what is new cannot be told. */
  #changed = true;

  constructor(term: XTerm) {
    this.#term = term;
    this.#unread = term.registerMarker(0);
  }

  /** Sees what the terminal answers to programs that ask it (where the cursor is, what it can do). */
  onAnswer(handle: (data: string) => void): void {
    this.#term.onData(handle);
  }

  get applicationCursor(): boolean {
    return this.#term.modes.applicationCursorKeysMode;
  }

  /** Sees the data of a command to the terminal that it shows nowhere (`ESC ] number ; data BEL`). */
  onCommand(number: number, handle: (data: string) => void): void {
    this.#term.parser.registerOscHandler(number, (data) => {
      handle(data);
      return true;
    });
  }

  /** Shows what a program printed. Resolves when it is on the screen: whoever waits for it holds the program back. */
  async write(bytes: Uint8Array): Promise<void> {
    // Each piece is read off as soon as it is shown; only the last one is waited for, since every wait takes a timer.
    let last: Promise<void> | undefined;
    for (let from = 0; from < bytes.length; from += pieceBytes) {
      last = this.#show(bytes.subarray(from, from + pieceBytes));
    }
    await last;
  }

  #show(piece: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#term.write(piece, () => {
        this.#readScrolled();
        done();
      });
    });
  }

  /** What is to be seen, without the blanks at the ends of lines and below. */
  text(): string {
    const { active } = this.#term.buffer;
    const lines = this.#lines(active.baseY, active.baseY + this.#term.rows - 1).map(({ text }) =>
      text.trimEnd(),
    );
    return excerptOf(lines.join("\n").replace(/\n+$/, ""), maxViewBytes);
  }

  look(): View {
    const before = this.#seen.at(-1);
    const news = this.#newText();
    this.#remember();
    if (news === undefined || news === before) return { kind: "screen", text: this.text() };
    return { kind: "new", text: news };
  }

  dispose(): void {
    this.#term.dispose();
  }

  #newText(): string | undefined {
    this.#readScrolled();
    const { active, normal } = this.#term.buffer;
    if (active.type === "alternate" || this.#changed) return undefined;
    this.#read(normal.baseY, normal.baseY + this.#lastLine());
    if (this.#changed || this.#seen.length > 0) return undefined;
    return this.#news.toString();
  }

  /** The last line of the screen that counts: the cursor's, or the last one with text. */
  #lastLine(): number {
    const { normal } = this.#term.buffer;
    let last = this.#term.rows - 1;
    while (last > normal.cursorY && this.#textAt(normal.baseY + last) === "") last -= 1;
    return last;
  }

  /** From here on, "new" is what comes after what stands there now. */
  #remember(): void {
    const { active, normal } = this.#term.buffer;
    this.#news = new Excerpt(maxViewBytes);
    this.#changed = active.type === "alternate";
    const lines = this.#changed ? [] : this.#lines(normal.baseY, normal.baseY + this.#lastLine());
    this.#seen = lines.map(({ text }) => text);
  }

  /** Reads the lines off that have left the screen: they change no more. */
  #readScrolled(): void {
    const { active, normal } = this.#term.buffer;
    // In a full-screen program the normal screen stands still.
    if (active.type === "alternate") {
      this.#changed = true;
      return;
    }
    const from = this.#unread === undefined || this.#unread.isDisposed ? -1 : this.#unread.line;
    if (from === normal.baseY) return;
    // Its lines were taken away, or it moved below the screen's first: somebody cleared it.
    if (from < 0 || from > normal.baseY) this.#changed = true;
    else this.#read(from, normal.baseY - 1);
    this.#unread?.dispose();
    this.#unread = this.#term.registerMarker(-normal.cursorY);
  }

  #read(from: number, to: number): void {
    for (const { text, wrapped } of this.#lines(from, to)) {
      const seen = this.#seen.shift();
      const isLastSeen = seen !== undefined && this.#seen.length === 0;
      if (seen !== undefined && !(isLastSeen ? text.startsWith(seen) : text === seen)) this.#changed = true;
      if (seen === undefined || isLastSeen) {
        this.#news.append(this.#news.isEmpty || wrapped ? text : `\n${text}`);
      }
    }
  }

  #lines(from: number, to: number): { text: string; wrapped: boolean }[] {
    const lines: { text: string; wrapped: boolean }[] = [];
    for (let at = from; at <= to; at += 1) {
      lines.push({ text: this.#textAt(at), wrapped: this.#lineAt(at)?.isWrapped ?? false });
    }
    return lines;
  }

  /** A line that goes on below keeps the spaces at its end. */
  #textAt(at: number): string {
    const goesOn = this.#lineAt(at + 1)?.isWrapped === true;
    return this.#lineAt(at)?.translateToString(!goesOn) ?? "";
  }

  #lineAt(at: number): IBufferLine | undefined {
    return this.#term.buffer.active.getLine(at);
  }
}
