import { setTimeout as sleep } from "node:timers/promises";
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
import { writeLayer } from "@tracemill/core/workspace/layer.ts";
import type Docker from "dockerode";
import { Doors, type OnConnection } from "../doors.ts";
import { assertAbsolute } from "../job/write-files.ts";
import { assertOutside, changesOutside, filesOutside, type LaidIn, workspaceEntries } from "../layers.ts";
import { resultOf, standing } from "../namespace/exec.ts";
import { type BaseView, placeIn } from "./base-view.ts";
import { endOfContainer } from "./container.ts";
import type { Contents } from "./contents.ts";
import { startExec } from "./exec.ts";

export interface DockerSandboxOptions {
  container: Docker.Container;
  contents: Contents;
  base: BaseView;
  description: SandboxDescription;
  /** What its allow-list has refused so far. */
  refusedHosts(): readonly string[];
  workdir: string;
  env: Readonly<Record<string, string>>;
  /** Who commands run as. */
  user: string;
  layers: readonly LaidIn[];
  /** Opens a door at its loopback. */
  listen(onConnection: OnConnection): Promise<SandboxListener>;
  limits: SandboxLimits & { fileBytes: number };
  /** Why the sandbox was ended from outside, when it was: it grew beyond its disk limit. */
  ended: AbortSignal;
  /** Removes the container and what belongs to it. */
  dispose(): Promise<void>;
}

/** Exit code of a command that something killed; it may have been the whole container's end. */
const killedCode = 137;

/** When to look whether the container is still there, each after the one before. */
const lateMs = [0, 100, 300];

const notBegun: ExecResult = {
  exitCode: killedCode,
  stdout: "",
  stderr: "",
  timedOut: false,
  truncated: false,
  durationMs: 0,
};

/** A container in use, by the engine's interface and nothing else: the engine may be on another machine. */
export class DockerSandbox implements Sandbox {
  readonly workdir: string;
  readonly #options: DockerSandboxOptions;
  readonly #doors = new Doors();
  #closing: Promise<void> | undefined;

  constructor(options: DockerSandboxOptions) {
    this.#options = options;
    this.workdir = options.workdir;
  }

  get description(): SandboxDescription {
    const refused = this.#options.refusedHosts();
    return { ...this.#options.description, ...(refused.length === 0 ? {} : { refusedHosts: [...refused] }) };
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    this.#assertOpen();
    if (isAborted(options.signal)) return notBegun;
    const { cwd = this.workdir, env = {}, stdin } = options;
    if (hasNul(command, cwd, env))
      return { ...notBegun, exitCode: 126, stderr: "the command cannot be started: a NUL in its words\n" };
    const started = await this.#start(command, { cwd, env, input: stdin !== undefined });
    const result = await resultOf(started, options);
    this.#assertOpen();
    const byOthers = result.exitCode === killedCode && !result.timedOut && !isAborted(options.signal);
    // The engine hears of a command's end before it hears of the whole container's.
    if (byOthers) for (const ms of lateMs) await this.#assertRunning(ms);
    return result;
  }

  async start(
    command: readonly string[],
    { cwd = this.workdir, env = {} }: Pick<ExecOptions, "cwd" | "env"> = {},
  ): Promise<SandboxProcess> {
    this.#assertOpen();
    if (hasNul(command, cwd, env))
      throw new TracemillError("invalid-input", "a NUL in the words of a command");
    return standing(await this.#start(command, { cwd, env, input: true }));
  }

  async listen(onConnection: OnConnection): Promise<SandboxListener> {
    this.#assertOpen();
    return this.#doors.keep(await this.#work(() => this.#options.listen(onConnection)));
  }

  async writeFiles(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void> {
    this.#assertOpen();
    const { contents, layers } = this.#options;
    await this.#work(() => contents.write(filesOutside(files, layers)));
  }

  async readFile(
    path: string,
    { maxBytes = 256 * 1024 * 1024 }: { maxBytes?: number } = {},
  ): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    return this.#work(() => this.#options.contents.read(path, maxBytes));
  }

  async remove(paths: readonly string[]): Promise<void> {
    this.#assertOpen();
    for (const path of paths) assertAbsolute(path);
    assertOutside(this.#options.layers, paths);
    await this.#work(() => this.#options.contents.remove(paths));
  }

  diff({ exclude = [] }: { exclude?: readonly string[] } = {}): AsyncIterable<Uint8Array> {
    this.#assertOpen();
    const { contents, layers, base } = this.#options;
    const changes = contents.changes([...exclude, ...layers.map(({ path }) => path)]);
    return writeLayer(changesOutside(changes, layers, (path) => placeIn(base, path)));
  }

  async applyWorkspace(tar: AsyncIterable<Uint8Array>): Promise<void> {
    this.#assertOpen();
    const { contents, layers } = this.#options;
    await this.#work(() => contents.apply(workspaceEntries(tar, layers)));
  }

  async baseHas(path: string): Promise<boolean> {
    this.#assertOpen();
    return this.#options.base.has(path);
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    try {
      await this.#doors.close();
    } finally {
      await this.#options.dispose();
    }
  }

  #start(
    command: readonly string[],
    { cwd, env, input }: { cwd: string; env: Readonly<Record<string, string>>; input: boolean },
  ) {
    if (command.length === 0)
      throw new TracemillError("invalid-input", "an empty command; give at least its name");
    const { container, user, limits, env: own } = this.#options;
    return this.#work(() =>
      startExec(container, {
        command,
        cwd,
        env: { ...own, ...env },
        user,
        fileBytes: limits.fileBytes,
        input,
      }),
    );
  }

  /** A request that fails since the container is no more says so, and why. */
  async #work<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (error instanceof TracemillError && error.code === "sandbox-failed") await this.#assertRunning();
      throw error;
    }
  }

  async #assertRunning(afterMs = 0): Promise<void> {
    if (afterMs > 0) await sleep(afterMs);
    this.#assertOpen();
    const why = await endOfContainer(this.#options.container);
    this.#assertOpen();
    if (why !== undefined)
      throw new TracemillError("sandbox-failed", `the sandbox has ended: ${why}`, { retryable: true });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new TracemillError("sandbox-failed", "the sandbox is closed");
    this.#options.ended.throwIfAborted();
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function hasNul(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): boolean {
  return [...command, cwd, ...Object.entries(env).flat()].some((word) => word.includes("\0"));
}
