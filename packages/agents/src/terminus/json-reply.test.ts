import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonForm } from "./json-reply.ts";
import type { Command } from "./reply.ts";

const read = (text: string, isCut = false) => jsonForm.read(text, isCut);
const whole = '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.5}]}';
const ls: Command = { keystrokes: "ls\n", seconds: 0.5 };

describe("a JSON reply", () => {
  test("is read as it is meant", () => {
    expect(read(whole)).toEqual({ commands: [ls], complete: false, warnings: [] });
    expect(read(whole.replace(/}$/, ', "task_complete": true}'))).toMatchObject({ complete: true });
    expect(read('{"analysis": "", "plan": "", "commands": [], "task_complete": "true"}')).toMatchObject({
      commands: [],
      complete: true,
      warnings: [],
    });
  });

  test.each<[string, string, RegExp]>([
    ["text before it", `Sure!\n${whole}`, /text before/],
    ["text after it", `${whole}\nDone.`, /text after/],
    ["a second one after it", `${whole}\n${whole}`, /text after/],
    ["line ends in its strings", whole.replace("\\n", "\n"), /control character/],
    ["a comma too many", whole.replace("0.5}]", "0.5},]"), /comma/],
    ["brackets missing at its end", whole.slice(0, -2), /not closed/],
    ["no analysis", whole.replace('"analysis": "a", ', ""), /`analysis` is missing/],
    ["a duration in words", whole.replace("0.5", '"0.5"'), /^$/],
  ])("with %s is carried out, and the model is told", (_, text, warning) => {
    const reply = read(text);
    expect(reply).toMatchObject({ commands: [ls] });
    expect(reply.warnings.join("\n")).toMatch(warning);
  });

  test("is found in a fence, and behind thoughts that the server left in", () => {
    expect(read(`<think>{"commands": 7}</think>\n\`\`\`json\n${whole}\n\`\`\``)).toEqual({
      commands: [ls],
      complete: false,
      warnings: [],
    });
    expect(read(`I saw {x} and {"y": 1}. ${whole}`)).toMatchObject({ commands: [ls] });
  });

  test.each<[string, string, RegExp]>([
    ["is empty", "  ", /empty/],
    ["is none", "I would run ls.", /no JSON object/],
    ["has no commands", '{"analysis": "a", "plan": "p"}', /`commands` is missing/],
    ["has commands that are no list", '{"commands": "ls"}', /no array/],
    ["has a command without keys", '{"commands": [{"duration": 1}]}', /command 1 has no `keystrokes`/],
    ["has a command that is a number", '{"commands": [7]}', /command 1 is no object/],
    ["breaks off in a command", whole.slice(0, whole.indexOf("ls")), /breaks off/],
    ["has quotes that end its strings", '{"commands": [{"keystrokes": "echo "hi""}]}', /no JSON object/],
  ])("that %s is not carried out", (_, text, error) => {
    expect(read(text)).toMatchObject({ error: expect.stringMatching(error) });
  });

  test("waits no longer than a minute, and a second where it does not say how long", () => {
    const text =
      '{"commands": [{"keystrokes": "a\\n", "duration": 900}, {"keystrokes": "b\\n"}, {"keystrokes": "c\\n", "duration": -1}]}';
    const reply = read(text);
    expect(reply).toMatchObject({ commands: [{ seconds: 60 }, { seconds: 1 }, { seconds: 0 }] });
    expect(reply.warnings).toEqual(
      expect.arrayContaining([
        expect.stringContaining("command 1 asked for"),
        expect.stringContaining("command 2 has no duration"),
      ]),
    );
  });

  test("is warned of lines that run together", () => {
    const text =
      '{"commands": [{"keystrokes": "cd /tmp", "duration": 1}, {"keystrokes": "ls\\n", "duration": 1}]}';
    expect(read(text).warnings.join()).toContain("command 1 does not end with a newline");
  });

  test("that was cut at the output limit is carried out as far as it is whole", () => {
    const text =
      '{"analysis": "a", "plan": "p", "commands": [{"keystrokes": "ls\\n", "duration": 0.5}, {"keystrokes": "rm -rf /tm';
    expect(read(text, true)).toMatchObject({ commands: [ls] });
    expect(read('{"analysis": "a long', true)).toHaveProperty("error");
  });
});

const command = fc.record({
  keystrokes: fc.string({ unit: "grapheme", maxLength: 30 }),
  seconds: fc.integer({ min: 0, max: 60 }),
});
const reply = fc.record({
  analysis: fc.string(),
  plan: fc.string(),
  commands: fc.array(command, { maxLength: 5 }),
  complete: fc.boolean(),
});

describe("whatever a model writes", () => {
  test("its own form is read as it was meant", () => {
    fc.assert(
      fc.property(reply, (wanted) => {
        const { commands, complete } = wanted;
        expect(read(jsonForm.write(wanted))).toMatchObject({ commands, complete });
      }),
    );
  });

  test("nothing that is cut off is ever typed", () => {
    fc.assert(
      fc.property(reply, fc.nat(), fc.boolean(), (wanted, at, isCut) => {
        const text = jsonForm.write(wanted);
        const cut = read(text.slice(0, at % (text.length + 1)), isCut);
        if ("error" in cut) return;
        const typed = cut.commands.map(({ keystrokes }) => keystrokes);
        expect(typed).toEqual(wanted.commands.slice(0, typed.length).map(({ keystrokes }) => keystrokes));
      }),
    );
  });

  test("it is read or refused, with few warnings", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      "\\",
      ",",
      ":",
      "commands",
      "keystrokes",
      "\n",
      "<think>",
      "</think>",
      "1",
      "true",
      "\\u12",
      "```",
    );
    const noise = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(piece, { maxLength: 200 }).map((pieces) => pieces.join("")),
    );
    fc.assert(
      fc.property(noise, fc.boolean(), (text, isCut) => {
        const { warnings } = read(text, isCut);
        expect(warnings.length).toBeLessThanOrEqual(10);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["braces", "{".repeat(200_000)],
    ["objects in objects", '{"commands":'.repeat(100_000)],
    ["arrays in arrays", `{"commands":${"[".repeat(200_000)}`],
    ["strings that never end", '{"a":"'.repeat(100_000)],
    ["one long string", `{"commands":[{"keystrokes":"${"x".repeat(2_000_000)}`],
  ])("hundreds of thousands of %s are answered, not choked on", (_, text) => {
    expect(read(text)).toHaveProperty("error");
  });
});
