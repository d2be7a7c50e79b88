import { absolute, answerMistakes, maxBytes, pathNames, writeThrough } from "./files.ts";
import { badArguments, type Tool, textArgument } from "./tool.ts";

interface Edit {
  path: string;
  before: string;
  after: string;
  all: boolean;
}

/** Replaces a text in a file by another, exactly as it stands there. */
export const editFile: Tool = {
  names: ["edit_file", "Edit", "str_replace"],
  definition: {
    type: "function",
    function: {
      name: "edit_file",
      description:
        "Replaces a text in a file. `old_string` has to stand in the file exactly so, white space included, and only once unless `replace_all` is true.",
      parameters: {
        type: "object",
        properties: {
          path: { type: "string" },
          old_string: { type: "string", description: "The text to replace." },
          new_string: { type: "string", description: "What comes in its place." },
          replace_all: { type: "boolean", description: "Replace it wherever it stands. Default: false." },
        },
        required: ["path", "old_string", "new_string"],
      },
    },
  },
  open:
    ({ sandbox }) =>
    async (args) => {
      const edit = editOf(args);
      if (edit === undefined) {
        return badArguments(
          "edit_file",
          "{path: string, old_string: string, new_string: string, replace_all?: boolean}",
        );
      }
      return answerMistakes(async () => {
        const path = absolute(edit.path, sandbox);
        const content = await sandbox.readFile(path, { maxBytes });
        if (content === undefined) return `error: ${edit.path}: no such file`;
        const text = textIn(content);
        if (text === undefined) return `error: ${edit.path}: not a text file in UTF-8`;
        const edited = replaced(text, withLineEndsOf(text, edit));
        if ("error" in edited) return `error: ${edit.path}: ${edited.error}`;
        await writeThrough(path, edited.text, sandbox);
        return `replaced ${edited.places} ${edited.places === 1 ? "place" : "places"} in ${edit.path}`;
      });
    },
};

function editOf(args: Record<string, unknown>): Edit | undefined {
  const path = textArgument(args, pathNames);
  const before = textArgument(args, ["old_string", "old_str", "old_text"]);
  const after = textArgument(args, ["new_string", "new_str", "new_text"]);
  if (path === undefined || before === undefined || after === undefined) return undefined;
  return { path, before, after, all: args.replace_all === true };
}

function textIn(content: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** Models write LF where a file has CRLF, which they hardly see. */
function withLineEndsOf(text: string, edit: Edit): Edit {
  const isCrlf = text.includes("\r\n") && !/(?<!\r)\n/.test(text);
  if (!isCrlf) return edit;
  const inCrlf = (words: string): string => words.replaceAll(/\r?\n/g, "\r\n");
  return { ...edit, before: inCrlf(edit.before), after: inCrlf(edit.after) };
}

function replaced(
  text: string,
  { before, after, all }: Edit,
): { text: string; places: number } | { error: string } {
  if (before === "") return { error: "old_string is empty; write_file makes new files" };
  if (before === after) return { error: "old_string and new_string are the same" };
  const places = text.split(before).length - 1;
  if (places === 0) return { error: "old_string is not in the file; read the file, and copy it exactly" };
  if (places > 1 && !all) {
    return {
      error: `old_string is in the file ${places} times; give more of the text around it, or replace_all: true`,
    };
  }
  return { text: text.replaceAll(before, () => after), places };
}
