import { type LenientJson, readLenientJson } from "./lenient-json.ts";
import {
  type Command,
  type ReadReply,
  type ReplyForm,
  secondsOf,
  Warnings,
  warnOfJoined,
  withoutThoughts,
} from "./reply.ts";

type Fields = Readonly<Record<string, unknown>>;

const ownFields = ["analysis", "plan", "commands", "task_complete"] as const;
/** Places where a reply could begin; a text full of braces is no reply. */
const maxPlaces = 50;

/** `{"analysis": …, "plan": …, "commands": [{"keystrokes": …, "duration": …}], "task_complete": …}`. */
export const jsonForm: ReplyForm = {
  name: "json",
  read: readJsonReply,
  write: ({ analysis, plan, commands, complete }) =>
    JSON.stringify(
      {
        analysis,
        plan,
        commands: commands.map(({ keystrokes, seconds }) => ({ keystrokes, duration: seconds })),
        task_complete: complete,
      },
      null,
      2,
    ),
};

function readJsonReply(reply: string, isCut: boolean): ReadReply {
  const warnings = new Warnings();
  const text = withoutThoughts(reply);
  const found = findReply(text);
  if (found === undefined) {
    const error =
      text.trim() === "" ? "the reply is empty" : "no JSON object with `commands` was found in the reply";
    return { error, warnings: warnings.list };
  }
  warnOfForm(text, found, warnings);
  if (found.json.ended === "cut" && !isCut) {
    return { error: "the JSON object breaks off in the middle of a value", warnings: warnings.list };
  }
  const complete = isTrue(found.fields.task_complete);
  const commands = commandsOf(found.fields.commands, isCut, warnings);
  if (typeof commands === "string" && !complete) return { error: commands, warnings: warnings.list };
  if (typeof commands === "string") warnings.add(commands);
  const typed = typeof commands === "string" ? [] : commands;
  warnOfJoined(typed, warnings);
  return { commands: typed, complete, warnings: warnings.list };
}

interface Found {
  start: number;
  json: LenientJson;
  fields: Fields;
}

/** The first object that has a field of a reply. */
function findReply(text: string): Found | undefined {
  let start = text.indexOf("{");
  for (let place = 0; start >= 0 && place < maxPlaces; place += 1) {
    const json = readLenientJson(text, start);
    if (json !== undefined && isFields(json.value)) {
      const fields = json.value;
      if (ownFields.some((name) => name in fields)) return { start, json, fields };
    }
    start = text.indexOf("{", start + 1);
  }
  return undefined;
}

function warnOfForm(text: string, { start, json, fields }: Found, warnings: Warnings): void {
  const before = text.slice(0, start).replace(/```(?:json)?\s*$/, "");
  const after = text.slice(json.end).replace(/^\s*```/, "");
  if (before.trim() !== "") warnings.add("there is text before the JSON object");
  if (after.trim() !== "") warnings.add("there is text after the JSON object, which was not read");
  for (const repair of json.repairs) warnings.add(`the JSON has ${repair}`);
  if (json.ended === "unclosed") warnings.add("the JSON object is not closed");
  for (const name of ["analysis", "plan"]) {
    if (typeof fields[name] !== "string") warnings.add(`\`${name}\` is missing, or no text`);
  }
}

/** The commands, or what is wrong with them. Of an answer that was cut, the ones that are whole. */
function commandsOf(value: unknown, isCut: boolean, warnings: Warnings): Command[] | string {
  if (value === undefined) return "`commands` is missing";
  if (!Array.isArray(value)) return "`commands` is no array";
  const commands: Command[] = [];
  for (const [index, item] of value.entries()) {
    const command = commandOf(item, index + 1, isCut && index === value.length - 1, warnings);
    if (typeof command === "string") return command;
    if (command !== undefined) commands.push(command);
  }
  return commands;
}

function commandOf(
  item: unknown,
  number: number,
  mayBeCut: boolean,
  warnings: Warnings,
): Command | string | undefined {
  const place = `command ${number}`;
  if (typeof item === "string") {
    return { keystrokes: item, seconds: secondsOf(undefined, place, warnings) };
  }
  if (!isFields(item)) return `${place} is no object`;
  if (typeof item.keystrokes !== "string") {
    return mayBeCut ? undefined : `${place} has no \`keystrokes\`, or they are no text`;
  }
  return { keystrokes: item.keystrokes, seconds: secondsOf(item.duration, place, warnings) };
}

function isTrue(value: unknown): boolean {
  return value === true || (typeof value === "string" && /^(?:true|yes|1)$/i.test(value.trim()));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
