import { describe, expect, test, vi } from "vitest";
import { maxViewBytes, openScreen } from "./screen.ts";

async function screenOf({ cols = 20, rows = 5 } = {}) {
  const answers: string[] = [];
  const screen = await openScreen({ cols, rows });
  screen.onAnswer((data) => answers.push(data));
  const show = (text: string) => screen.write(Buffer.from(text));
  return { screen, show, answers };
}

describe("a look at the screen", () => {
  test("is first the whole of it, then what is new, and the whole again when nothing is", async () => {
    const { screen, show } = await screenOf();
    await show("$ ");
    expect(screen.look()).toEqual({ kind: "screen", text: "$" });
    await show("echo hi\r\nhi\r\n$ ");
    expect(screen.look()).toEqual({ kind: "new", text: "$ echo hi\nhi\n$ " });
    await show("ls\r\na b\r\n$ ");
    expect(screen.look()).toEqual({ kind: "new", text: "$ ls\na b\n$ " });
    expect(screen.look()).toEqual({ kind: "screen", text: "$ echo hi\nhi\n$ ls\na b\n$" });
  });

  test("finds what is new although it has scrolled away", async () => {
    const { screen, show } = await screenOf();
    await show("$ ");
    screen.look();
    const lines = Array.from({ length: 3_000 }, (_, index) => `${index}`).join("\r\n");
    await show(`seq\r\n${lines}\r\n$ `);
    const { kind, text } = screen.look();
    expect(kind).toBe("new");
    expect(text.startsWith("$ seq\n0\n1\n2\n")).toBe(true);
    expect(text.endsWith("\n2998\n2999\n$ ")).toBe(true);
    const [head = "", tail = ""] = text.split(/\n\[… \d+ bytes left out here …\]\n/);
    expect(Buffer.byteLength(head) + Buffer.byteLength(tail)).toBeLessThanOrEqual(maxViewBytes);
    await show("x\r\n");
    expect(screen.look()).toEqual({ kind: "new", text: "$ x\n" });
  });

  test("takes bytes of any kind, of which nothing goes to the console", async () => {
    const { screen } = await screenOf({ cols: 40 });
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await screen.write(Uint8Array.from({ length: 512 }, (_, index) => (index * 7) % 256));
    await screen.write(Buffer.from("\x1bc$ "));
    expect(logged).not.toHaveBeenCalled();
    logged.mockRestore();
    expect(screen.text()).toBe("$");
  });

  test("holds no more however much is printed", async () => {
    const { screen, show } = await screenOf();
    screen.look();
    for (let round = 0; round < 50; round += 1) await show("漢字 and more\r\n".repeat(500));
    const { text } = screen.look();
    expect(Buffer.byteLength(text)).toBeLessThan(maxViewBytes + 100);
    expect(text).not.toContain("\uFFFD");
  });

  test("puts lines together that were wrapped", async () => {
    const { screen, show } = await screenOf({ cols: 10 });
    await show("$ ");
    screen.look();
    await show("echo\r\n0123456789abc  def 01234\r\n$ ");
    expect(screen.look().text).toBe("$ echo\n0123456789abc  def 01234\n$ ");
  });

  test("counts wide characters as the two columns that they take", async () => {
    const { screen, show } = await screenOf({ cols: 6 });
    await show("漢字かな\r\n\x1b[1;3H");
    expect(screen.text()).toBe("漢字か\nな");
    await show("X");
    expect(screen.text()).toBe("漢X か\nな");
  });

  test.each([
    ["was cleared", "\x1b[H\x1b[2J\x1b[3J$ "],
    ["was written over", "\x1b[Hother"],
    ["belongs to a full-screen program", "\x1b[?1049h\x1b[Heditor"],
    ["belonged to one in between", "\x1b[?1049h\x1b[Heditor\x1b[?1049l"],
  ])("is at the whole screen when that %s", async (_, output) => {
    const { screen, show } = await screenOf();
    await show("one\r\ntwo\r\n$ ");
    screen.look();
    await show(output);
    expect(screen.look()).toEqual({ kind: "screen", text: screen.text() });
  });

  test("shows what stood there before, once a full-screen program has ended", async () => {
    const { screen, show } = await screenOf();
    await show("$ vi\r\n\x1b[?1049h\x1b[Heditor");
    expect(screen.look().text).toBe("editor");
    await show("\x1b[?1049l$ ");
    expect(screen.look()).toEqual({ kind: "screen", text: "$ vi\n$" });
    await show("x\r\n$ ");
    expect(screen.look()).toEqual({ kind: "new", text: "$ x\n$ " });
  });
});

test("programs that ask the terminal are answered", async () => {
  const { show, answers } = await screenOf();
  await show("\x1b[6n");
  await show("\x1b[c");
  expect(answers[0]).toBe("\x1b[1;1R");
  expect(answers).toHaveLength(2);
});

test("output may stop in the middle of a character", async () => {
  const { screen } = await screenOf();
  const bytes = Buffer.from("é漢");
  for (const byte of bytes) await screen.write(Buffer.from([byte]));
  expect(screen.text()).toBe("é漢");
});
