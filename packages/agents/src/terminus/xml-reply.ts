import {
  type Command,
  type ReadReply,
  type ReplyForm,
  secondsOf,
  Warnings,
  warnOfJoined,
  withoutThoughts,
} from "./reply.ts";

/**
 * `<response><analysis>…<plan>…<commands><keystrokes duration="…">…</keystrokes></commands><task_complete>…</response>`.
 * It looks like XML and is none: what stands in a tag is taken as it is.
 */
export const xmlForm: ReplyForm = {
  name: "xml",
  read: readXmlReply,
  write: ({ analysis, plan, commands, complete }) =>
    [
      "<response>",
      `<analysis>\n${analysis}\n</analysis>`,
      `<plan>\n${plan}\n</plan>`,
      "<commands>",
      ...commands.map(
        ({ keystrokes, seconds }) => `<keystrokes duration="${seconds}">${keystrokes}</keystrokes>`,
      ),
      "</commands>",
      `<task_complete>${complete}</task_complete>`,
      "</response>",
    ].join("\n"),
};

function readXmlReply(reply: string, isCut: boolean): ReadReply {
  const warnings = new Warnings();
  const text = withoutThoughts(reply);
  const body = responseOf(text, isCut, warnings);
  const commands = section(body, "commands");
  const rest = commands === undefined ? body : body.slice(0, commands.start) + body.slice(commands.end);
  const complete = /^\s*true\s*$/i.test(section(rest, "task_complete")?.text ?? "");
  for (const name of ["analysis", "plan"]) {
    if (section(rest, name) === undefined) warnings.add(`<${name}> is missing`);
  }
  if (commands === undefined) {
    if (complete) return { commands: [], complete, warnings: warnings.list };
    const error = text.trim() === "" ? "the reply is empty" : "no <commands> were found in the reply";
    return { error, warnings: warnings.list };
  }
  if (!commands.isClosed) warnings.add("<commands> is not closed");
  const { typed, isWhole } = commandsOf(commands.text, warnings);
  if (!isCut && !isWhole) {
    const error = commands.isClosed
      ? "a <keystrokes> is not closed before the first </commands>, which may not stand in it"
      : "the reply breaks off within <keystrokes>";
    return { error, warnings: warnings.list };
  }
  warnOfJoined(typed, warnings);
  return { commands: typed, complete, warnings: warnings.list };
}

/** What stands in `<response>`; all of a text that has none. */
function responseOf(text: string, isCut: boolean, warnings: Warnings): string {
  const response = section(text, "response");
  if (response === undefined) {
    warnings.add("<response> is missing");
    return text;
  }
  const before = text.slice(0, response.start).replace(/```(?:xml)?\s*$/, "");
  const after = text.slice(response.end).replace(/^\s*```/, "");
  if (before.trim() !== "") warnings.add("there is text before <response>");
  if (after.trim() !== "") warnings.add("there is text after </response>, which was not read");
  if (!response.isClosed && !isCut) warnings.add("<response> is not closed");
  return response.text;
}

interface Section {
  text: string;
  /** Of the whole section, its tags included. */
  start: number;
  end: number;
  isClosed: boolean;
}

/** The first section of this name; one that is not closed goes on to the end. */
function section(text: string, name: string): Section | undefined {
  const open = new RegExp(`<${name}\\s*(/?)>`).exec(text);
  if (open === null) return undefined;
  const start = open.index;
  const from = start + open[0].length;
  if (open[1] === "/") return { text: "", start, end: from, isClosed: true };
  const close = text.indexOf(`</${name}>`, from);
  if (close < 0) return { text: text.slice(from), start, end: text.length, isClosed: false };
  return { text: text.slice(from, close), start, end: close + name.length + 3, isClosed: true };
}

const keystrokesTag = /<keystrokes\b([^>]{0,200})>/g;
const closingTag = "</keystrokes>";

/** Those that are closed; whether all are. */
function commandsOf(text: string, warnings: Warnings): { typed: Command[]; isWhole: boolean } {
  const commands: Command[] = [];
  keystrokesTag.lastIndex = 0;
  for (let tag = keystrokesTag.exec(text); tag !== null; tag = keystrokesTag.exec(text)) {
    const from = keystrokesTag.lastIndex;
    const attributes = tag[1] ?? "";
    const isEmpty = attributes.trimEnd().endsWith("/");
    const close = isEmpty ? from : text.indexOf(closingTag, from);
    if (close < 0) return { typed: commands, isWhole: false };
    const keystrokes = text.slice(from, close);
    if (!isEmpty) keystrokesTag.lastIndex = close + closingTag.length;
    const [, duration] = /\bduration\s*=\s*["']?([^"'\s/]*)/.exec(attributes) ?? [];
    commands.push({ keystrokes, seconds: secondsOf(duration, `command ${commands.length + 1}`, warnings) });
    warnOfEntities(keystrokes, warnings);
  }
  return { typed: commands, isWhole: text.lastIndexOf("<keystrokes") <= text.lastIndexOf(">") };
}

function warnOfEntities(keystrokes: string, warnings: Warnings): void {
  const [entity] = /&(?:lt|gt|amp|quot|apos);/.exec(keystrokes) ?? [];
  if (entity !== undefined)
    warnings.add(`${entity} was typed as it is: characters in <keystrokes> are not to be escaped`);
}
