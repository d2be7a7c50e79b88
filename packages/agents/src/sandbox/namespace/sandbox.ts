import { chmodSync, mkdirSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type {
  ExecOptions,
  ExecResult,
  Sandbox,
  SandboxDescription,
  SandboxFile,
  SandboxLayer,
  SandboxLimits,
  SandboxListener,
  SandboxProcess,
} from "@tracemill/core/ports/sandbox.ts";
import { writeLayer } from "@tracemill/core/workspace/layer.ts";
import { Doors, listenHere, type OnConnection, serveDoor } from "../doors.ts";
import { assertOutside, filesOutside, workspaceEntries } from "../layers.ts";
import { listenInside } from "../listen-inside.ts";
import { type Cgroup, type CgroupHome, createCgroup } from "./cgroup.ts";
import { type ChangedTree, changesOf } from "./changes.ts";
import { credentials, type Entry, runIn, startIn } from "./exec.ts";
import { applyIn, readFileIn, removeIn, writeFileIn } from "./files.ts";
import { assertFreeSpace } from "./free-space.ts";
import type { BaseMount, HostBase } from "./host-base.ts";
import { inheritedDescriptors } from "./inherited.ts";
import { makeOwned, removeFolder } from "./janitor.ts";
import { type Init, type Launcher, launch } from "./launch.ts";
import { LowerView } from "./lower-view.ts";
import { rootName } from "./mounts.ts";
import { closeFolder, type Folder, openRoot } from "./open-folder.ts";
import { isPeerIn } from "./peer.ts";
import type { PipePool } from "./pipes.ts";

export interface OpenOptions {
  id: string;
  /** The folder in which this sandbox gets its own. */
  dir: string;
  launcher: Launcher;
  base: HostBase;
  /** Layers of the environment, topmost first. */
  layers: readonly string[];
  /** Laid in over empty folders that `layers` has. */
  readOnly: readonly SandboxLayer[];
  network: "none" | "host";
  limits: SandboxLimits;
  cgroups: CgroupHome | undefined;
  pipes: PipePool;
  env: Readonly<Record<string, string>>;
  workdir: string;
  description: SandboxDescription;
  signal?: AbortSignal;
}

/** Starts a sandbox. @throws TracemillError `sandbox-unavailable`, `sandbox-failed`, `unsupported`. */
export async function openSandbox(options: OpenOptions): Promise<NamespaceSandbox> {
  const { id, dir, base, layers, readOnly, network, cgroups, limits, signal } = options;
  signal?.throwIfAborted();
  assertFreeSpace(dir);
  const folder = join(dir, id);
  makeOwned(folder);
  let cgroup: Cgroup | undefined;
  let init: Init | undefined;
  try {
    makeChangeFolders(folder, base.mounts);
    cgroup = cgroups === undefined ? undefined : createCgroup(cgroups, id, limits);
    const tree = { base, at: base.at, layers, changes: folder, readOnly, network };
    const inherited = inheritedDescriptors();
    const table = join(folder, "mounts");
    init = await launch({ launcher: options.launcher, tree, table, inherited, signal });
    return new NamespaceSandbox(options, { folder, init, cgroup, inherited });
  } catch (error) {
    await init?.end();
    await cgroup?.remove();
    removeFolder(folder);
    throw error;
  }
}

interface Started {
  folder: string;
  init: Init;
  cgroup: Cgroup | undefined;
  inherited: readonly number[];
}

/** Overlay takes the mode of a mount's root from its upper folder. */
function makeChangeFolders(folder: string, mounts: readonly BaseMount[]): void {
  for (const kind of ["upper", "work"]) {
    mkdirSync(join(folder, kind));
    for (const { name, mode } of [{ name: rootName, mode: 0o755 }, ...mounts]) {
      mkdirSync(join(folder, kind, name));
      chmodSync(join(folder, kind, name), mode);
    }
  }
}

/** A running sandbox of Linux namespaces. How it is built: `mounts.ts`. */
export class NamespaceSandbox implements Sandbox {
  readonly description: SandboxDescription;
  readonly workdir: string;
  readonly #options: OpenOptions;
  readonly #folder: string;
  readonly #init: Init;
  readonly #cgroup: Cgroup | undefined;
  readonly #tree: ChangedTree & { lower: LowerView };
  readonly #inherited: readonly number[];
  readonly #running = new Set<Promise<unknown>>();
  readonly #doors = new Doors();
  #closing: Promise<void> | undefined;

  constructor(options: OpenOptions, { folder, init, cgroup, inherited }: Started) {
    this.#options = options;
    this.#folder = folder;
    this.#init = init;
    this.#cgroup = cgroup;
    this.#inherited = inherited;
    this.description = options.description;
    this.workdir = options.workdir;
    this.#tree = {
      upper: openRoot(join(folder, "upper")),
      merged: openRoot(`/proc/${init.pid}/root/sb`),
      lower: new LowerView(options.base, options.layers),
    };
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    this.#assertOpen();
    const running = runIn(this.#entry(options), command, options);
    const result = await this.#track(running);
    this.#assertOpen();
    return result;
  }

  async start(
    command: readonly string[],
    options: Pick<ExecOptions, "cwd" | "env"> = {},
  ): Promise<SandboxProcess> {
    this.#assertOpen();
    const started = await startIn(this.#entry(options), command);
    void this.#track(started.exited);
    return started;
  }

  async listen(onConnection: OnConnection): Promise<SandboxListener> {
    this.#assertOpen();
    const { pid } = this.#init;
    if (this.#options.network === "none") {
      const socket = await listenInside(["-t", String(pid), "-U", "-n", ...credentials()], 0);
      return this.#doors.keep(serveDoor(socket, onConnection));
    }
    // Its loopback is this machine's: others that are on it must not come in, nor who has a dead sandbox's number.
    const admits = (peer: Socket): boolean => this.#init.alive() && isPeerIn(pid, peer);
    return this.#doors.keep(serveDoor(await listenHere(), onConnection, admits));
  }

  async writeFiles(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void> {
    for await (const file of filesOutside(files, this.#options.readOnly)) writeFileIn(this.#root(), file);
  }

  async readFile(
    path: string,
    { maxBytes = 256 * 1024 * 1024 }: { maxBytes?: number } = {},
  ): Promise<Uint8Array | undefined> {
    return readFileIn(this.#root(), path, maxBytes);
  }

  async remove(paths: readonly string[]): Promise<void> {
    assertOutside(this.#options.readOnly, paths);
    removeIn(this.#root(), paths);
  }

  diff({ exclude = [] }: { exclude?: readonly string[] } = {}): AsyncIterable<Uint8Array> {
    return writeLayer(changesOf(this.changes, exclude));
  }

  async applyWorkspace(tar: AsyncIterable<Uint8Array>): Promise<void> {
    await applyIn(this.#root(), workspaceEntries(tar, this.#options.readOnly));
  }

  async baseHas(path: string): Promise<boolean> {
    this.#assertOpen();
    return this.#tree.lower.has(path);
  }

  /** What the sandbox changed, for a layer to be made of it. */
  get changes(): ChangedTree {
    this.#assertOpen();
    return this.#tree;
  }

  /** The root as commands see it. */
  get root(): Folder {
    return this.#root();
  }

  close(): Promise<void> {
    this.#closing ??= this.#end((folder) => removeFolder(folder));
    return this.#closing;
  }

  /** Ends every process, and hands over the folder of the changes instead of deleting it. */
  async closeInto(take: (folder: string) => void): Promise<void> {
    this.#closing ??= this.#end((folder) => {
      take(join(folder, "upper"));
      removeFolder(folder);
    });
    await this.#closing;
  }

  async #end(dispose: (folder: string) => void): Promise<void> {
    await this.#doors.close();
    await this.#init.end();
    await Promise.allSettled(this.#running);
    closeFolder(this.#tree.upper);
    closeFolder(this.#tree.merged);
    await this.#cgroup?.remove();
    dispose(this.#folder);
  }

  #track<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  #entry({ cwd, env }: Pick<ExecOptions, "cwd" | "env">): Entry {
    const { limits, network, pipes, env: base } = this.#options;
    return {
      pid: this.#init.pid,
      cwd: cwd ?? this.workdir,
      env: { ...base, ...env },
      join: this.#cgroup?.join ?? [],
      fileBytes: limits.fileBytes,
      rlimits: this.#cgroup === undefined ? rlimitsOf(limits) : [],
      pipes,
      inherited: this.#inherited,
      namespaces: ["-p", "-i", "-u", ...(network === "none" ? ["-n"] : [])],
    };
  }

  #root(): Folder {
    this.#assertOpen();
    return this.#tree.merged;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new TracemillError("sandbox-failed", "the sandbox is closed");
    if (!this.#init.alive()) throw ended();
  }
}

function ended(): TracemillError {
  return new TracemillError("sandbox-failed", "the sandbox has ended: something killed its first process", {
    retryable: true,
  });
}

/** Where there are no control groups: processes of this sandbox, and private memory of each one. */
function rlimitsOf({ memoryBytes, pids }: SandboxLimits): string[] {
  return [
    ...(pids === undefined ? [] : [`--nproc=${pids}`]),
    ...(memoryBytes === undefined ? [] : [`--data=${memoryBytes}`]),
  ];
}
