import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxFile } from "@tracemill/core/ports/sandbox.ts";
import type { Box } from "./box.ts";
import { failed, runOwn } from "./own-script.ts";
import { quoted } from "./script.ts";
import { Staging } from "./staging.ts";

/** What is brought into the box at once, so that its volume needs little room. */
const batchBytes = 32 * 1024 * 1024;
const batchEntries = 500;

/** Exit code and output of a script say which file cannot be written. */
const refusedCode = 9;

const functions = `refuse() { echo "$1"; exit ${refusedCode}; }
# $1: number, $2: folder, $3: path
make() {
  if [ -d "$3" ] && [ ! -L "$3" ]; then refuse "$1 it is a folder"; fi
  if [ ! -d "$2" ]; then mkdir -p -- "$2" || refuse "$1 its folder cannot be made"; fi
  if [ -e "$3" ] || [ -L "$3" ]; then rm -f -- "$3" || exit 1; fi
}
`;

/** Writes files, making their folders. What was there of that name is replaced, never written through. */
export async function writeFilesIn(
  box: Box,
  files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>,
  nextName: () => string,
): Promise<void> {
  let batch: SandboxFile[] = [];
  let bytes = 0;
  for await (const file of files) {
    assertAbsolute(file.path);
    batch.push(file);
    bytes += file.content.length;
    if (bytes < batchBytes && batch.length < batchEntries) continue;
    await writeBatch(box, batch, nextName());
    [batch, bytes] = [[], 0];
  }
  if (batch.length > 0) await writeBatch(box, batch, nextName());
}

async function writeBatch(box: Box, files: readonly SandboxFile[], name: string): Promise<void> {
  using staging = new Staging(box, name);
  const places = files.map(({ path }) => placeOf(path));
  for (const [index, { folder, name: last }] of places.entries())
    staging.say(`make ${index} ${quoted(`${folder}/`)} ${quoted(`${folder}/${last}`)}`);
  for (const [index, { folder, name: last }] of places.entries()) {
    const { content = "", mode = 0o644 } = files[index] ?? {};
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    await staging.addFile(folder, last, { content: [bytes], mode });
  }
  const { exitCode, stdout, stderr } = await runOwn(box, functions + staging.script());
  if (exitCode === 0) return;
  const refused = /^(\d{1,6}) ([a-z ]+)\n$/.exec(stdout);
  const path = files[Number(refused?.[1])]?.path;
  if (exitCode !== refusedCode || path === undefined) throw failed("writing files", exitCode, stderr);
  throw new TracemillError("invalid-input", `${path}: ${refused?.[2]}; a file cannot be written there`);
}

function placeOf(path: string): { folder: string; name: string } {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const name = parts.pop();
  if (name === undefined || name === "..") {
    throw new TracemillError("invalid-input", `${path} is a folder; a file cannot be written there`);
  }
  return { folder: parts.map((part) => `/${part}`).join(""), name };
}

/** @throws TracemillError `invalid-input`. */
export function assertAbsolute(path: string): void {
  if (path.startsWith("/") && !path.includes("\0")) return;
  throw new TracemillError("invalid-input", `${JSON.stringify(path)}: give an absolute path in the sandbox`);
}
