import { describe, expect, test } from "vitest";
import { keysToSend } from "./keys.ts";

const plain = { applicationCursor: false };

describe("keystrokes", () => {
  test.each([
    ["ls -la\n", "ls -la\r"],
    ["a\r\nb\n", "a\rb\r"],
    ["C-c", "\x03"],
    ["C-c\n", "\x03"],
    ["C-x C-s", "\x18\x13"],
    ["C-[", "\x1b"],
    ["C-Space", "\0"],
    ["M-x", "\x1bx"],
    ["C-M-a", "\x1b\x01"],
    ["Enter", "\r"],
    ["escape", "\x1b"],
    ["Up", "\x1b[A"],
    ["C-Right", "\x1b[1;5C"],
    ["S-Tab", "\x1b[Z"],
    ["PageDown", "\x1b[6~"],
    ["C-Delete", "\x1b[3;5~"],
    ["F1", "\x1bOP"],
    ["F10", "\x1b[21~"],
    // Words that are no keys, or do not stand alone, are text.
    ["up and down", "up and down"],
    ["echo C-c\n", "echo C-c\r"],
    ["C-", "C-"],
    ["-", "-"],
    ["", ""],
    ["é漢\n", "é漢\r"],
  ])("%j are sent as %j", (keystrokes, sent) => {
    expect(keysToSend(keystrokes, plain)).toBe(sent);
  });

  test("move the cursor as the program at the terminal wants it", () => {
    expect(keysToSend("Up", { applicationCursor: true })).toBe("\x1bOA");
    expect(keysToSend("C-Up", { applicationCursor: true })).toBe("\x1b[1;5A");
  });
});
