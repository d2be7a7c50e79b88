import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { Doors, listenHere, type OnConnection, serveDoor } from "@tracemill/agents/sandbox/doors.ts";
import { assertOutside, checkLayers, isWithin, workspaceEntries } from "@tracemill/agents/sandbox/layers.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type {
  ExecOptions,
  ExecResult,
  Sandbox,
  SandboxDescription,
  SandboxFile,
  SandboxLayer,
  SandboxListener,
  SandboxNetwork,
  SandboxProvider,
  SandboxSpec,
} from "@tracemill/core/ports/sandbox.ts";
import { collect } from "@tracemill/core/streams.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";

type Files = Map<string, SandboxFile>;

export interface InProcessOptions {
  /** What a command does. Default: nothing, with exit code 0. */
  exec?: (command: readonly string[], options: ExecOptions, files: Files) => ExecResult | Promise<ExecResult>;
  /** What every environment holds from the start: content by absolute path. */
  base?: Readonly<Record<string, string>>;
}

/**
 * A sandbox without processes: a map of files, and a function that plays the commands. Folders are implied by
 * their files.
 */
export function inProcessSandboxes(options: InProcessOptions = {}): SandboxProvider {
  return {
    name: "in-process",
    create: async (spec) => {
      spec.signal?.throwIfAborted();
      return new InProcessSandbox(spec, options);
    },
    close: async () => undefined,
    doctor: async () => [{ name: "in-process", status: "ok", detail: "commands are played by a function" }],
  };
}

/** A result with exit code 0 and empty output, unless `parts` says otherwise. */
export function execResult(parts: Partial<ExecResult> = {}): ExecResult {
  return {
    exitCode: 0,
    stdout: "",
    stderr: "",
    timedOut: false,
    truncated: false,
    durationMs: 0,
    ...parts,
  };
}

class InProcessSandbox implements Sandbox {
  readonly description: SandboxDescription;
  readonly workdir: string;
  readonly #files: Files = new Map();
  readonly #base: Files = new Map();
  readonly #exec: NonNullable<InProcessOptions["exec"]>;
  readonly #env: Record<string, string>;
  readonly #layers: readonly SandboxLayer[];
  readonly #doors = new Doors();
  #closed = false;

  constructor({ environment, network, layers = [] }: SandboxSpec, { exec, base = {} }: InProcessOptions) {
    this.workdir = environment.workdir ?? "/app";
    this.#env = environment.env;
    checkLayers(layers, this.workdir);
    this.#layers = layers;
    this.#exec = exec ?? (() => execResult());
    for (const [path, content] of Object.entries(base)) {
      this.#base.set(path, { path, content, mode: 0o644 });
      this.#files.set(path, { path, content, mode: 0o644 });
    }
    const hash = createHash("sha256").update(environment.dockerfile ?? "");
    for (const file of environment.files) hash.update(`\0${file.path}\0`).update(file.content);
    const description = { sandbox: "in-process", base: "none", isolation: [], network: nameOf(network) };
    this.description = { ...description, environment: hash.digest("hex") };
  }

  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    this.#open();
    options.signal?.throwIfAborted();
    return this.#exec(command, { ...options, env: { ...this.#env, ...options.env } }, this.#files);
  }

  async start(): Promise<never> {
    throw new TracemillError("unsupported", "the in-process sandbox starts no processes");
  }

  /** The commands' loopback is this process's own. */
  async listen(onConnection: OnConnection): Promise<SandboxListener> {
    this.#open();
    return this.#doors.keep(serveDoor(await listenHere(), onConnection));
  }

  async writeFiles(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void> {
    this.#open();
    for await (const { path, content, mode = 0o644 } of files) {
      assertOutside(this.#layers, [path]);
      this.#files.set(this.#absolute(path), { path, content, mode });
    }
  }

  async readFile(
    path: string,
    { maxBytes = Number.POSITIVE_INFINITY } = {},
  ): Promise<Uint8Array | undefined> {
    this.#open();
    const file = this.#files.get(this.#absolute(path)) ?? (await this.#inLayer(path));
    if (file === undefined) {
      if (this.#under(path).length === 0) return undefined;
      throw new TracemillError("invalid-input", `${path} is a folder, not a file`);
    }
    const content = bytesOf(file);
    if (content.byteLength <= maxBytes) return content;
    throw new TracemillError("invalid-input", `${path} is larger than ${maxBytes} bytes`);
  }

  async remove(paths: readonly string[]): Promise<void> {
    this.#open();
    assertOutside(this.#layers, paths);
    for (const path of paths) {
      this.#files.delete(path);
      for (const inside of this.#under(path)) this.#files.delete(inside);
    }
  }

  diff({ exclude = [] }: { exclude?: readonly string[] } = {}): AsyncIterable<Uint8Array> {
    this.#open();
    return writeLayer(this.#changes(exclude));
  }

  *#changes(exclude: readonly string[]): Generator<LayerEntry> {
    const all = new Set([...this.#files.keys(), ...this.#base.keys()]);
    for (const absolute of [...all].toSorted()) {
      if (exclude.some((prefix) => absolute === prefix || absolute.startsWith(`${prefix}/`))) continue;
      const path = absolute.slice(1);
      const file = this.#files.get(absolute);
      const before = this.#base.get(absolute);
      if (file === undefined) yield { type: "whiteout", path };
      else if (before === undefined || !bytesOf(before).equals(bytesOf(file)) || before.mode !== file.mode) {
        const content = bytesOf(file);
        const body = (async function* () {
          yield content;
        })();
        yield { type: "file", path, mode: file.mode ?? 0o644, size: content.byteLength, body };
      }
    }
  }

  async applyWorkspace(tar: AsyncIterable<Uint8Array>): Promise<void> {
    this.#open();
    for await (const entry of workspaceEntries(tar, this.#layers)) {
      const path = `/${entry.path}`;
      if (entry.type === "file") {
        this.#files.set(path, { path, content: await collect(entry.body), mode: entry.mode });
      } else if (entry.type === "whiteout") await this.remove([path]);
      else if (entry.type === "symlink") {
        throw new TracemillError("unsupported", `${path}: the in-process sandbox has no symbolic links`);
      }
    }
  }

  async baseHas(path: string): Promise<boolean> {
    const inside = `${path.replace(/\/+$/, "")}/`;
    return this.#base.has(path) || [...this.#base.keys()].some((key) => key.startsWith(inside));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#doors.close();
    this.#files.clear();
  }

  async #inLayer(path: string): Promise<SandboxFile | undefined> {
    const layer = this.#layers.find((each) => isWithin(path, each.path));
    if (layer === undefined) return undefined;
    const content = await readFile(layer.dir + path.slice(layer.path.length)).catch(() => undefined);
    return content && { path, content };
  }

  #under(path: string): string[] {
    const inside = `${path.replace(/\/+$/, "")}/`;
    return [...this.#files.keys()].filter((key) => key.startsWith(inside));
  }

  #absolute(path: string): string {
    if (path.startsWith("/")) return posix.normalize(path);
    throw new TracemillError("invalid-input", `${path}: give an absolute path`);
  }

  #open(): void {
    if (this.#closed) throw new TracemillError("sandbox-failed", "the sandbox is closed");
  }
}

function bytesOf({ content }: SandboxFile): Buffer {
  return typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
}

function nameOf(network: SandboxNetwork): "none" | "host" | "allowlist" {
  return typeof network === "string" ? network : "allowlist";
}
