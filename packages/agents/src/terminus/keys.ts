/**
 * What a keyboard sends for keys as tmux names them (`C-c`, `M-x`, `Enter`, `Escape`, `Up`, `F5`), in the encoding of
 * xterm (`TERM=xterm-256color`).
 */

const plainKeys: Readonly<Record<string, string>> = {
  enter: "\r",
  escape: "\x1b",
  tab: "\t",
  btab: "\x1b[Z",
  space: " ",
  bspace: "\x7f",
  dc: "\x1b[3~",
  delete: "\x1b[3~",
  ic: "\x1b[2~",
  insert: "\x1b[2~",
  npage: "\x1b[6~",
  pagedown: "\x1b[6~",
  pgdn: "\x1b[6~",
  ppage: "\x1b[5~",
  pageup: "\x1b[5~",
  pgup: "\x1b[5~",
  f5: "\x1b[15~",
  f6: "\x1b[17~",
  f7: "\x1b[18~",
  f8: "\x1b[19~",
  f9: "\x1b[20~",
  f10: "\x1b[21~",
  f11: "\x1b[23~",
  f12: "\x1b[24~",
};

/** Keys that end in a letter, which change with the cursor mode and take modifiers. */
const letterKeys: Readonly<Record<string, string>> = {
  up: "A",
  down: "B",
  right: "C",
  left: "D",
  end: "F",
  home: "H",
  f1: "P",
  f2: "Q",
  f3: "R",
  f4: "S",
};

const modifierBits: Readonly<Record<string, number>> = { S: 1, M: 2, C: 4 };

export interface KeyboardMode {
  /** A program asked for the other form of the cursor keys (DECCKM), as editors do. */
  applicationCursor: boolean;
}

/**
 * The bytes of keystrokes, as text. A name of a key that stands alone is that key, and so is a row of names with
 * modifiers (`C-x C-s`); everything else is typed as it is, line ends as Enter.
 */
export function keysToSend(keystrokes: string, mode: KeyboardMode): string {
  const single = keyNamed(keystrokes, mode);
  if (single !== undefined) return single;
  const words = keystrokes.trim().split(/[ \n]+/);
  const keys = words.map((word) => (/^(?:[CMS]-)+./.test(word) ? keyNamed(word, mode) : undefined));
  if (keys.every((key) => key !== undefined)) return keys.join("");
  return keystrokes.replaceAll(/\r\n|\n/g, "\r");
}

/** The bytes of one key by its name; `undefined` when it is none. A single character is no name. */
export function keyNamed(name: string, mode: KeyboardMode): string | undefined {
  const [, modifiers = "", base = ""] = /^((?:[CMS]-)*)([^-].*|-)$/s.exec(name) ?? [];
  const bits = new Set(modifiers.split("-").filter((letter) => letter !== ""));
  if (bits.size === 0) return base.length > 1 ? baseKey(base.toLowerCase(), 0, mode) : undefined;
  const sum = [...bits].reduce((total, letter) => total + (modifierBits[letter] ?? 0), 0);
  return [...base].length === 1 ? modifiedCharacter(base, bits) : baseKey(base.toLowerCase(), sum, mode);
}

function modifiedCharacter(character: string, modifiers: ReadonlySet<string>): string | undefined {
  const control = modifiers.has("C") ? controlOf(character) : character;
  if (control === undefined) return undefined;
  const shifted = modifiers.has("S") ? control.toUpperCase() : control;
  return modifiers.has("M") ? `\x1b${shifted}` : shifted;
}

/** `C-a` is 1; `C-@`, `C-[`, `C-\`, `C-]`, `C-^`, `C-_` and `C-?` have codes of their own. */
function controlOf(character: string): string | undefined {
  if (character === "?") return "\x7f";
  const code = character.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : undefined;
}

function baseKey(name: string, modifiers: number, { applicationCursor }: KeyboardMode): string | undefined {
  const letter = letterKeys[name];
  if (letter !== undefined) {
    if (modifiers !== 0) return `\x1b[1;${modifiers + 1}${letter}`;
    return applicationCursor || "PQRS".includes(letter) ? `\x1bO${letter}` : `\x1b[${letter}`;
  }
  const plain = plainKeys[name];
  if (plain === undefined || modifiers === 0) return plain;
  if (plain.endsWith("~")) return `${plain.slice(0, -1)};${modifiers + 1}~`;
  if (name === "tab" && modifiers === modifierBits.S) return plainKeys.btab;
  if (name === "space" && modifiers === modifierBits.C) return "\0";
  return (modifiers & 2) === 0 ? plain : `\x1b${plain}`;
}
