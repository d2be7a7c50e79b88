import { randomBytes } from "node:crypto";
import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { TracemillError } from "@tracemill/core/errors.ts";
import { diskError, hasErrno, onDiskAsync } from "@tracemill/local/disk.ts";
import { Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../../context.ts";
import { shQuoted } from "./client-env.ts";

interface Options {
  name: string;
  dir?: string;
}

const mark = "# Made by `tracemill proxy install`; `tracemill proxy uninstall` removes it.";
const defaultName = "codex-synth";

const help = `
The script runs \`tracemill codex\` with this home, wherever it is started. It is put into ~/.local/bin, or --dir.`;

/** `tracemill proxy install`. */
export function installCommand(context: CliContext): Command {
  return withScript(new Command("install"))
    .description(`put a script into your PATH that runs your Codex captured (${defaultName})`)
    .addHelpText("after", help)
    .action((options: Options) => install(options, context));
}

/** `tracemill proxy uninstall`. */
export function uninstallCommand(context: CliContext): Command {
  return withScript(new Command("uninstall"))
    .description("remove that script, and nothing else")
    .action((options: Options) => uninstall(options, context));
}

function withScript(command: Command): Command {
  return command
    .option("--name <name>", "name of the script", scriptName, defaultName)
    .option("--dir <dir>", "its folder (default: ~/.local/bin)");
}

function scriptName(text: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(text)) return text;
  throw new InvalidArgumentError("Give letters, digits, dots, dashes and underscores.");
}

async function install(options: Options, context: CliContext): Promise<void> {
  const { out } = context;
  const path = scriptPath(options, context);
  const text = script(context);
  const found = await ours(path);
  if (found === text) return out.text(`${path} is there already`);
  await onDiskAsync(path, () => put(path, text, found !== undefined));
  out.text(`${path}\nrun it as you run codex: ${options.name} exec "…"`);
  const folder = resolve(path, "..");
  const onPath = (context.config.variable("PATH") ?? "")
    .split(delimiter)
    .some((each) => resolve(each) === folder);
  if (!onPath) out.note(`${folder} is not on your PATH yet`);
}

async function put(path: string, text: string, replace: boolean): Promise<void> {
  await mkdir(resolve(path, ".."), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  await writeFile(temporary, text, { mode: 0o755, flag: "wx" });
  if (replace) return rename(temporary, path);
  try {
    await link(temporary, path);
  } catch (error) {
    throw hasErrno(error, "EEXIST") ? foreign(path) : error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function uninstall(options: Options, context: CliContext): Promise<void> {
  const path = scriptPath(options, context);
  if ((await ours(path)) === undefined) return context.out.text(`${path} is not there`);
  await onDiskAsync(path, () => rm(path));
  context.out.text(`removed ${path}`);
}

function scriptPath({ name, dir }: Options, { config }: CliContext): string {
  if (dir !== undefined) return resolve(dir, name);
  const user = config.variable("HOME");
  if (user !== undefined) return join(user, ".local", "bin", name);
  throw new TracemillError("invalid-input", "HOME is not set; say where with --dir");
}

/** The script that is there, when we made it; `undefined` when there is nothing. @throws TracemillError `conflict`. */
async function ours(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, "utf8");
    if (isOurScript(text)) return text;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw diskError(error, path);
  }
  throw foreign(path);
}

/** Whether a program's text is a script of `tracemill proxy install`. */
export function isOurScript(text: string): boolean {
  return text.split("\n", 2)[1] === mark;
}

function foreign(path: string): TracemillError {
  return new TracemillError(
    "conflict",
    `${path}: not made by tracemill; left as it is. Choose another --name`,
  );
}

function script({ home }: CliContext): string {
  const bin = fileURLToPath(new URL("../../../bin/tracemill.js", import.meta.url));
  return [
    "#!/bin/sh",
    mark,
    `if [ -z "$TRACEMILL_HOME" ]; then TRACEMILL_HOME=${shQuoted(home)}; fi`,
    "export TRACEMILL_HOME",
    `exec ${shQuoted(process.execPath)} ${shQuoted(bin)} codex "$@"`,
    "",
  ].join("\n");
}
