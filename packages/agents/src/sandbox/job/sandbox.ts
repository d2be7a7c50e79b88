import { TracemillError } from "@tracemill/core/errors.ts";
import type {
  ExecOptions,
  ExecResult,
  Sandbox,
  SandboxDescription,
  SandboxFile,
  SandboxLimits,
  SandboxListener,
  SandboxProcess,
} from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import { Doors, listenHere, type OnConnection, serveDoor } from "../doors.ts";
import { assertOutside, filesOutside, type LaidIn, workspaceEntries } from "../layers.ts";
import { resultOf, standing } from "../namespace/exec.ts";
import type { PipedProcess } from "../namespace/process.ts";
import { applyWorkspaceIn } from "./apply-workspace.ts";
import { listingHas } from "./base-view.ts";
import type { Box } from "./box.ts";
import { changesBetween } from "./changes.ts";
import { layerEntries } from "./contents.ts";
import { frozen } from "./freeze.ts";
import { type Listing, parseListing } from "./listing.ts";
import { failed, runOwn } from "./own-script.ts";
import { readFileIn } from "./read-file.ts";
import { commandScript, quoted } from "./script.ts";
import { listBox, type PackedListing } from "./survey.ts";
import { assertAbsolute, writeFilesIn } from "./write-files.ts";

export interface BoxSetting {
  env: Readonly<Record<string, string>>;
  limits: SandboxLimits & { fileBytes: number };
  /** Files that something is mounted on, without the slash at their start: never changes. */
  mounts: ReadonlySet<string>;
  /** Where the layers of all boxes lie, and this one's own. */
  layers: readonly LaidIn[];
  /** What was there before anything ran. */
  base: PackedListing;
}

const killed: ExecResult = {
  exitCode: 137,
  stdout: "",
  stderr: "",
  timedOut: false,
  truncated: false,
  durationMs: 0,
};

/** A box in use, by one attempt and by no other after it. */
export class JobSandbox implements Sandbox {
  readonly description: SandboxDescription;
  readonly workdir: string;
  readonly #box: Box;
  readonly #setting: BoxSetting;
  #baseIndex: Promise<Listing> | undefined;
  readonly #doors = new Doors();
  #batches = 0;

  constructor(
    box: Box,
    { description, workdir, ...setting }: BoxSetting & { description: SandboxDescription; workdir: string },
  ) {
    this.#box = box;
    this.#setting = setting;
    this.description = description;
    this.workdir = workdir;
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    this.#assertOpen();
    const script = this.#script(command, options);
    if (options.signal?.aborted === true) return killed;
    if (script === undefined) {
      return { ...killed, exitCode: 126, stderr: "the command cannot be started: a NUL in its words\n" };
    }
    const result = await resultOf(await this.#run(script, { input: options.stdin !== undefined }), options);
    this.#assertOpen();
    return result;
  }

  async start(
    command: readonly string[],
    options: Pick<ExecOptions, "cwd" | "env"> = {},
  ): Promise<SandboxProcess> {
    this.#assertOpen();
    const script = this.#script(command, options);
    if (script === undefined) throw new TracemillError("invalid-input", "a NUL in the words of a command");
    return standing(await this.#run(script, { input: true }));
  }

  /** The task's containers have one loopback. */
  async listen(onConnection: OnConnection): Promise<SandboxListener> {
    this.#assertOpen();
    return this.#doors.keep(serveDoor(await listenHere(), onConnection));
  }

  async writeFiles(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void> {
    this.#assertOpen();
    await writeFilesIn(this.#box, filesOutside(files, this.#setting.layers), () => this.#batchName());
  }

  async readFile(
    path: string,
    { maxBytes = 256 * 1024 * 1024 }: { maxBytes?: number } = {},
  ): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    return readFileIn(this.#box, path, maxBytes);
  }

  async remove(paths: readonly string[]): Promise<void> {
    this.#assertOpen();
    for (const path of paths) assertAbsolute(path);
    assertOutside(this.#setting.layers, paths);
    const some = paths.filter((path) => !/(^|\/)\.{0,2}\/*$/.test(path)).map(quoted);
    if (some.length === 0) return;
    const { exitCode, stderr } = await runOwn(this.#box, `exec rm -rf -- ${some.join(" ")}\n`);
    if (exitCode !== 0) throw failed("deleting files", exitCode, stderr);
  }

  diff({ exclude = [] }: { exclude?: readonly string[] } = {}): AsyncIterable<Uint8Array> {
    return writeLayer(this.#changes(exclude));
  }

  async applyWorkspace(tar: AsyncIterable<Uint8Array>): Promise<void> {
    this.#assertOpen();
    const entries = workspaceEntries(tar, this.#setting.layers);
    await applyWorkspaceIn(this.#box, entries, () => this.#batchName());
  }

  async baseHas(path: string): Promise<boolean> {
    this.#assertOpen();
    this.#baseIndex ??= this.#setting.base.unpack();
    return listingHas(await this.#baseIndex, path);
  }

  async close(): Promise<void> {
    this.#baseIndex = undefined;
    await this.#doors.close();
    await this.#box.close();
  }

  async *#changes(exclude: readonly string[]): AsyncGenerator<LayerEntry> {
    this.#assertOpen();
    await using _still = await frozen(this.#box);
    const now = parseListing(await listBox(this.#box));
    const prefixes = exclude.map((prefix) =>
      Buffer.from(prefix)
        .toString("latin1")
        .replaceAll(/^\/+|\/+$/g, ""),
    );
    const isKept = (path: string): boolean =>
      !prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)) &&
      (!this.#setting.mounts.has(path) || now.get(path)?.kind === "directory");
    const changes = changesBetween(await this.#setting.base.unpack(), now, isKept);
    yield* layerEntries(this.#box, changes, this.#setting.limits.fileBytes);
  }

  /** `undefined` for words that no command can have. @throws TracemillError `invalid-input`. */
  #script(
    command: readonly string[],
    { cwd = this.workdir, env }: Pick<ExecOptions, "cwd" | "env">,
  ): string | undefined {
    if (command.length === 0)
      throw new TracemillError("invalid-input", "an empty command; give at least its name");
    const all = { ...this.#setting.env, ...env };
    const words = [...command, cwd, ...Object.entries(all).flat()];
    if (words.some((word) => word.includes("\0"))) return undefined;
    return commandScript({ command, cwd, env: all, limits: this.#setting.limits });
  }

  async #run(script: string, { input }: { input: boolean }): Promise<PipedProcess> {
    return this.#box.run(script, { input });
  }

  #batchName(): string {
    this.#batches += 1;
    return `w${this.#batches}`;
  }

  #assertOpen(): void {
    this.#box.assertOpen();
  }
}
