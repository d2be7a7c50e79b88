import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "./reply.ts";
import { xmlForm } from "./xml-reply.ts";

const read = (text: string, isCut = false) => xmlForm.read(text, isCut);
const ls: Command = { keystrokes: "ls\n", seconds: 0.5 };
const whole = xmlForm.write({ analysis: "a", plan: "p", commands: [ls], complete: false });

describe("a reply in tags", () => {
  test("is read as it is meant, with characters as they are", () => {
    expect(read(whole)).toEqual({ commands: [ls], complete: false, warnings: [] });
    const raw = "if (a < b && c > \"d\") { echo 'x'; }\n<b>\n";
    const commands = [{ keystrokes: raw, seconds: 1 }];
    expect(read(xmlForm.write({ analysis: "", plan: "", commands, complete: true }))).toEqual({
      commands,
      complete: true,
      warnings: [],
    });
  });

  test.each<[string, string, RegExp]>([
    ["text before it", `Sure!\n${whole}`, /text before/],
    ["text after it", `${whole}\nBye.`, /text after/],
    ["no <response>", whole.replaceAll(/<\/?response>/g, ""), /<response> is missing/],
    ["no </response>", whole.replace("</response>", ""), /<response> is not closed/],
    ["no plan", whole.replace(/<plan>.*<\/plan>/s, ""), /<plan> is missing/],
    ["another kind of quotes", whole.replaceAll('"', "'"), /^$/],
    ["entities in its keys", whole.replace("ls\n", "ls &lt; a\n"), /&lt; was typed as it is/],
  ])("with %s is carried out, and the model is told", (_, text, warning) => {
    const reply = read(text);
    expect(reply).toMatchObject({ commands: [{ seconds: 0.5 }] });
    expect(reply.warnings.join("\n")).toMatch(warning);
  });

  test("may only wait, or only say that it is done", () => {
    const tag = (commands: string, complete: string) =>
      `<response><analysis>a</analysis><plan>p</plan>${commands}<task_complete>${complete}</task_complete></response>`;
    expect(read(tag("<commands></commands>", "false"))).toMatchObject({ commands: [], complete: false });
    expect(read(tag("<commands/>", "True"))).toMatchObject({ commands: [], complete: true });
    expect(read(tag("", "true"))).toMatchObject({ commands: [], complete: true });
    expect(read(tag('<commands><keystrokes duration="10"/></commands>', "false"))).toMatchObject({
      commands: [{ keystrokes: "", seconds: 10 }],
    });
  });

  test("says that it is done only outside of what it types", () => {
    const typed = { keystrokes: "echo '<task_complete>true</task_complete>'\n", seconds: 1 };
    const reply = xmlForm.write({ analysis: "", plan: "", commands: [typed], complete: false });
    expect(read(reply)).toMatchObject({ commands: [typed], complete: false });
  });

  test.each<[string, string, RegExp]>([
    ["is empty", "", /empty/],
    ["has no commands", "<response><analysis>a</analysis></response>", /no <commands>/],
    [
      "types the end of its own commands",
      "<commands><keystrokes>echo '</commands>' > x\n</keystrokes></commands>",
      /may not stand in it/,
    ],
    ["breaks off in a command", whole.slice(0, whole.indexOf("</keystrokes>")), /breaks off/],
  ])("that %s is not carried out", (_, text, error) => {
    expect(read(text)).toMatchObject({ error: expect.stringMatching(error) });
  });

  test("that was cut at the output limit is carried out as far as it is whole", () => {
    const text = whole
      .replace("</commands>", '<keystrokes duration="1">rm -rf /tm')
      .replace(/<task_complete>.*/s, "");
    expect(read(text, true)).toMatchObject({ commands: [ls] });
  });
});

const command = fc.record({
  keystrokes: fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !text.includes("</")),
  seconds: fc.integer({ min: 0, max: 60 }),
});
const plainText = fc.stringMatching(/^[\w ,.]*$/);
const reply = fc.record({
  analysis: plainText,
  plan: plainText,
  commands: fc.array(command, { maxLength: 5 }),
  complete: fc.boolean(),
});

describe("whatever a model writes", () => {
  test("its own form is read as it was meant", () => {
    fc.assert(
      fc.property(reply, (wanted) => {
        const { commands, complete } = wanted;
        expect(read(xmlForm.write(wanted))).toMatchObject({ commands, complete });
      }),
    );
  });

  test("nothing that is cut off is ever typed", () => {
    fc.assert(
      fc.property(reply, fc.nat(), fc.boolean(), (wanted, at, isCut) => {
        const text = xmlForm.write(wanted);
        const cut = read(text.slice(0, at % (text.length + 1)), isCut);
        if ("error" in cut) return;
        expect(cut.commands).toEqual(wanted.commands.slice(0, cut.commands.length));
      }),
    );
  });

  test("it is read or refused, with few warnings", () => {
    const piece = fc.constantFrom(
      "<response>",
      "</response>",
      "<commands>",
      "</commands>",
      "<keystrokes",
      " duration=",
      '"',
      ">",
      "</keystrokes>",
      "<task_complete>",
      "/>",
      "true",
      "\n",
      "&amp;",
      "x",
    );
    const noise = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(piece, { maxLength: 200 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(noise, fc.boolean(), (text, isCut) => {
        expect(read(text, isCut).warnings.length).toBeLessThanOrEqual(10);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["tags that open", "<commands><keystrokes>".repeat(50_000)],
    ["tags that never end", `<commands>${"<keystrokes ".repeat(100_000)}`],
    ["responses", "<response>".repeat(100_000)],
  ])("tens of thousands of %s are answered, not choked on", (_, text) => {
    expect(read(text)).toHaveProperty("error");
  });
});
