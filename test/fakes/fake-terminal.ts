import type { Terminal } from "@tracemill/agents/terminus/terminal.ts";

export interface FakeTerminal extends Terminal {
  /** What was typed, and each wait as `… N ms`. */
  readonly did: string[];
  ended: number | undefined;
}

/** A terminal that prints what `react` says to what is typed, and whose time takes none. */
export function fakeTerminal(
  react: (keystrokes: string, terminal: FakeTerminal) => string = () => "",
): FakeTerminal {
  const did: string[] = [];
  let screen = "$ ";
  let news = "";
  const terminal: FakeTerminal = {
    did,
    ended: undefined,
    type: async (keystrokes) => {
      did.push(keystrokes);
      const printed = react(keystrokes, terminal);
      news += printed;
      screen += printed;
    },
    wait: async (ms, until, signal) => {
      signal.throwIfAborted();
      did.push(`… ${ms} ms${until === "prompt" ? " or prompt" : ""}`);
    },
    look: () => {
      const text = news;
      news = "";
      return text === "" ? { kind: "screen", text: screen } : { kind: "new", text };
    },
    text: () => screen,
    close: async () => undefined,
  };
  return terminal;
}
