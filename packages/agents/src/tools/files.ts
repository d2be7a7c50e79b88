import { posix } from "node:path";
import { isTracemillError } from "@tracemill/core/errors.ts";
import type { Sandbox } from "@tracemill/core/ports/sandbox.ts";
import { badArguments, type Tool, textArgument } from "./tool.ts";

export const maxBytes = 1024 * 1024;
export const pathNames = ["path", "file_path", "filename"];

/** Writes a text file, making its folders. */
export const writeFile: Tool = {
  names: ["write_file", "create_file", "Write"],
  definition: {
    type: "function",
    function: {
      name: "write_file",
      description: "Writes a text file, replacing what was there.",
      parameters: {
        type: "object",
        properties: { path: { type: "string" }, content: { type: "string" } },
        required: ["path", "content"],
      },
    },
  },
  open:
    ({ sandbox }) =>
    async (args) => {
      const path = textArgument(args, pathNames);
      const content = textArgument(args, ["content", "text", "contents"]);
      if (path === undefined || content === undefined) {
        return badArguments("write_file", "{path: string, content: string}");
      }
      return answerMistakes(async () => {
        await writeThrough(absolute(path, sandbox), content, sandbox);
        return `wrote ${Buffer.byteLength(content)} bytes to ${path}`;
      });
    },
};

/** Reads a text file. */
export const readFile: Tool = {
  names: ["read_file", "view_file", "Read"],
  definition: {
    type: "function",
    function: {
      name: "read_file",
      description: "Returns the content of a text file.",
      parameters: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
    },
  },
  open:
    ({ sandbox }) =>
    async (args) => {
      const path = textArgument(args, pathNames);
      if (path === undefined) return badArguments("read_file", "{path: string}");
      return answerMistakes(async () => {
        const content = await sandbox.readFile(absolute(path, sandbox), { maxBytes });
        return content === undefined ? `error: ${path}: no such file` : Buffer.from(content).toString("utf8");
      });
    },
};

const targetScript =
  'path=$(readlink -f -- "$0") || path=$0; stat -c %a -- "$path" 2>/dev/null; printf %s "$path"';

/** Writes as programs do: the file that a link leads to, whose permissions stay as they are. */
export async function writeThrough(path: string, content: string, sandbox: Sandbox): Promise<void> {
  const { stdout } = await sandbox.exec(["/bin/sh", "-c", targetScript, path]);
  const [, mode, target] = /^(?:([0-7]+)\n)?(\/.*)?$/s.exec(stdout) ?? [];
  const kept = mode === undefined ? {} : { mode: Number.parseInt(mode, 8) };
  await sandbox.writeFiles([{ path: target ?? path, content, ...kept }]);
}

/** A path that cannot be read or written is the caller's to mend, and no failure of the sandbox. */
export async function answerMistakes(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (error) {
    if (!isTracemillError(error, "invalid-input")) throw error;
    return `error: ${error.message}`;
  }
}

export function absolute(path: string, sandbox: Sandbox): string {
  return posix.resolve(sandbox.workdir, path);
}
