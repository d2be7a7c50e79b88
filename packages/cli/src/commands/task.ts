import { readFile, rename, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isTracemillError, messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { packTask, unpackTask } from "@tracemill/core/harbor/archive.ts";
import { readHarborTask } from "@tracemill/core/harbor/task.ts";
import type { TaskFile } from "@tracemill/core/harbor/task-files.ts";
import { readScenario, scenarioFiles, scenarioHash } from "@tracemill/core/scenario/scenario.ts";
import { findTaskFolders, readTaskFolder, writeTaskFolder } from "@tracemill/local/task-folder.ts";
import { Command } from "commander";
import type { CliContext } from "../context.ts";

type Context = Pick<CliContext, "out" | "exitCode">;

interface CheckedTask {
  kind: "harbor" | "scenario";
  name: string;
  hash: string;
  warnings: string[];
  /** What an archive of the task holds. */
  files: TaskFile[];
}

const help = `
Examples:
  tracemill task check examples/tasks
  tracemill task check examples/tasks --json | jq -r 'select(.status == "invalid") | .problems[]'
  tracemill task hash examples/tasks/sort-words
  tracemill task pack examples/tasks/sort-words --output sort-words.tar.zst
  tracemill task unpack sort-words.tar.zst sort-words-again`;

export function taskCommand(context: Context): Command {
  return new Command("task")
    .description("check, hash, pack and unpack task folders")
    .addHelpText("after", help)
    .addCommand(checkCommand(context))
    .addCommand(hashCommand(context))
    .addCommand(packCommand(context))
    .addCommand(unpackCommand(context));
}

function checkCommand(context: Context): Command {
  return new Command("check")
    .description("check the tasks at or below folders; exits with 1 when one is invalid")
    .argument("<dirs...>", "folders of tasks, or of folders of tasks")
    .option("--json", "one JSON line a task")
    .action(async (dirs: string[]) => {
      let valid = 0;
      let invalid = 0;
      for (const dir of dirs) {
        for await (const path of taskFolders(dir)) {
          if (await reportTask(path, context)) valid += 1;
          else invalid += 1;
        }
      }
      context.out.text(`${valid} valid, ${invalid} invalid`);
      if (invalid > 0) context.exitCode = 1;
    });
}

async function* taskFolders(dir: string): AsyncGenerator<string> {
  let found = false;
  for await (const path of findTaskFolders(dir)) {
    found = true;
    yield path;
  }
  if (found) return;
  throw new TracemillError("not-found", `${resolve(dir)}: no folder with a task.toml at or below it`);
}

/** @returns whether the task is valid. */
async function reportTask(path: string, { out }: Context): Promise<boolean> {
  try {
    const { kind, name, hash, warnings } = await readTask(path);
    out.event({ path, status: "ok", kind, name, hash, problems: [], warnings });
    out.text(`ok       ${name}  ${hash}`);
    for (const warning of warnings) out.text(`         warning: ${warning}`);
    return true;
  } catch (error) {
    if (!isTracemillError(error, "invalid-task")) throw error;
    const problems = error.context.where === path ? error.context.problems : [error.message];
    out.event({ path, status: "invalid", problems });
    out.text(`invalid  ${path}`);
    for (const problem of problems as string[]) out.text(`         ${problem}`);
    return false;
  }
}

/** @throws TracemillError `not-found`, `invalid-task`. */
async function readTask(dir: string): Promise<CheckedTask> {
  const files = await readTaskFolder(dir);
  const has = (name: string) => files.some(({ path }) => path === name);
  if (has("task.toml") || !has("scenario.json")) {
    const { name, hash, warnings, files: kept } = readHarborTask(files, dir);
    return { kind: "harbor", name, hash, warnings, files: kept };
  }
  const scenario = readScenario(files, dir);
  const kept = scenarioFiles(scenario);
  return { kind: "scenario", name: scenario.name, hash: scenarioHash(kept), warnings: [], files: kept };
}

function hashCommand({ out }: Context): Command {
  return new Command("hash")
    .description("print a task's content hash, which is Harbor's: 64 hex digits")
    .argument("<dir>", "the folder of a task")
    .option("--json", "one JSON line with name and hash")
    .action(async (dir: string) => {
      const { kind, name, hash } = await readTask(dir);
      out.event({ path: dir, kind, name, hash });
      out.text(hash);
    });
}

function packCommand({ out }: Context): Command {
  return new Command("pack")
    .description("pack a task into a tar.zst; the same task gives the same bytes")
    .argument("<dir>", "the folder of a task")
    .requiredOption("-o, --output <file>", "the archive to write")
    .option("--json", "one JSON line with name, hash and size")
    .action(async (dir: string, { output }: { output: string }) => {
      const { name, hash, files } = await readTask(dir);
      const archive = await packTask(files);
      await writeWhole(output, archive);
      out.event({ path: output, name, hash, bytes: archive.byteLength });
      out.text(`${output}: ${name}, ${files.length} files, ${archive.byteLength} bytes`);
    });
}

function unpackCommand({ out }: Context): Command {
  return new Command("unpack")
    .description("unpack a task's archive (tar, tar.gz, tar.zst) into a new folder")
    .argument("<file>", "the archive")
    .argument("<dir>", "the folder to make; it must be new or empty")
    .option("--json", "one JSON line with the number of files")
    .action(async (file: string, dir: string) => {
      const files = await unpackTask(await readArchive(file), file);
      await writeTaskFolder(dir, files);
      out.event({ path: dir, files: files.length });
      out.text(`${dir}: ${files.length} files`);
    });
}

async function readArchive(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new TracemillError("not-found", `${file}: cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** Whole or not at all: an interrupted write leaves no half archive under the name. */
async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const part = `${file}.${process.pid}.part`;
  try {
    await writeFile(part, bytes);
    await rename(part, file);
  } catch (error) {
    throw new TracemillError("storage-failed", `${file}: cannot be written: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
