import type { Duplex } from "node:stream";

/**
 * A place where untrusted commands run. Docker, namespaces, or a job's own container.
 * Contract suite: `test/contract/sandbox.ts`.
 */
export interface SandboxFile {
  /** Absolute POSIX path inside the sandbox. */
  path: string;
  content: Uint8Array | string;
  /** Permission bits; default 0o644. */
  mode?: number;
}

export interface SandboxLimits {
  memoryBytes?: number;
  /** Processes and threads. */
  pids?: number;
  /** Cores; fractions allowed. */
  cpus?: number;
  /** Largest single file that a process may write. */
  fileBytes?: number;
  /** All that the sandbox may add to its environment. */
  diskBytes?: number;
}

/**
 * `none`: only loopback inside; `host`: whatever this machine reaches; `allow`: these hosts and no others (host
 * names, `*.name`, addresses, CIDR blocks, as Harbor's `allowed_hosts` writes them).
 */
export type SandboxNetwork = "none" | "host" | { allow: readonly string[] };

export interface SandboxEnvironment {
  /** Text of the Dockerfile; its build context is `files`. Absent: the bare base. */
  dockerfile?: string;
  /** Build context: paths relative to the task's `environment/` folder. */
  files: ReadonlyArray<{ path: string; content: Uint8Array; mode: number }>;
  /** Overrides the Dockerfile's WORKDIR. Default `/app`. */
  workdir?: string;
  /** Overrides or adds to the Dockerfile's ENV. */
  env: Record<string, string>;
  /** A prebuilt image named by the task; only container sandboxes can honour it. */
  image?: string;
  /** Text of the task's compose file, whose service `main` is the sandbox; only container sandboxes can honour it. */
  compose?: string;
  /** Seconds allowed for building the environment. */
  buildTimeoutSec: number;
}

/**
 * A folder of this machine that a sandbox sees, read-only, without being part of its workspace: programs of an agent.
 * Its content never changes under the same `id`.
 */
export interface SandboxLayer {
  /** Content id: letters, digits, dot and dash. */
  id: string;
  /** Absolute path on this machine. */
  dir: string;
  /** Absolute path inside, where nothing else lies: `/opt/tracemill/codex`. */
  path: string;
}

export interface SandboxSpec {
  /** Default: none. */
  layers?: readonly SandboxLayer[];
  environment: SandboxEnvironment;
  limits: SandboxLimits;
  network: SandboxNetwork;
  /** Who commands run as, by name or number. Default: root. Files are written and read as root all the same. */
  user?: string;
  /** A name for logs and process listings. */
  label: string;
  signal?: AbortSignal;
}

export interface ExecOptions {
  /** Default: the environment's WORKDIR. */
  cwd?: string;
  /** Added to the environment's variables. */
  env?: Record<string, string>;
  /** Kills the whole process tree when it runs out. Default: no limit. */
  timeoutMs?: number;
  stdin?: string | Uint8Array;
  /** Bytes of stdout and of stderr kept, first and last halves; the rest is dropped. Default 1 MiB. */
  maxOutputBytes?: number;
  signal?: AbortSignal;
}

export interface ExecResult {
  /** 128 + signal number when killed by a signal. */
  exitCode: number;
  stdout: string;
  stderr: string;
  timedOut: boolean;
  /** True when some output was dropped. */
  truncated: boolean;
  durationMs: number;
}

/** A process that stays: for interpreters and servers that speak over pipes. */
export interface SandboxProcess {
  write(data: string | Uint8Array): Promise<void>;
  /** Standard output as it comes. */
  stdout: AsyncIterable<Uint8Array>;
  exited: Promise<number>;
  kill(): void;
}

/** An open door of a sandbox to this process. Closed with the sandbox at the latest. */
export interface SandboxListener {
  /** On 127.0.0.1 inside. */
  port: number;
  /** Ends it and its connections. Safe to call twice. */
  close(): Promise<void>;
}

/** How this sandbox isolates; kept in every attempt's record. */
export interface SandboxDescription {
  sandbox: string;
  /** What the file system starts from: `host`, or an image reference. */
  base: string;
  /** Which mechanisms are in force, for example `userns pivot_root overlay cgroup-v1`. */
  isolation: string[];
  network: "none" | "host" | "allowlist";
  /** Hash of the built environment. */
  environment: string;
  /** With an allow-list, what was asked for and refused so far: `host:port: reason`, the first 20. */
  refusedHosts?: string[] | undefined;
}

export interface Sandbox {
  readonly description: SandboxDescription;
  /** Where commands run by default. */
  readonly workdir: string;
  /** Runs `command` (an argv, no shell) to its end. Rejects only when the sandbox itself fails. */
  exec(command: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  start(command: readonly string[], options?: Pick<ExecOptions, "cwd" | "env">): Promise<SandboxProcess>;
  /**
   * Listens on a port of the sandbox's own 127.0.0.1, whatever its network: connections that are made in there come to
   * this process. It is how an agent inside reaches its model, and nothing else, without a network.
   * @throws TracemillError `unsupported` where this process has no way in, with what to do.
   */
  listen(onConnection: (connection: Duplex) => void): Promise<SandboxListener>;
  writeFiles(files: Iterable<SandboxFile> | AsyncIterable<SandboxFile>): Promise<void>;
  /**
   * The file's content, `undefined` when absent.
   * @throws TracemillError `invalid-input` when it is a directory or other non-file, or larger than `maxBytes`.
   */
  readFile(path: string, options?: { maxBytes?: number }): Promise<Uint8Array | undefined>;
  /** Removes files or whole folders; silent when absent. */
  remove(paths: readonly string[]): Promise<void>;
  /**
   * Everything that differs from the environment, as an uncompressed tar in OCI layer convention, sorted by
   * path, with mtime 0 and owner 0. `exclude`: absolute path prefixes to leave out.
   */
  diff(options?: { exclude?: readonly string[] }): AsyncIterable<Uint8Array>;
  /**
   * Lays a tar in OCI layer convention (paths relative to `/`; `.wh.NAME` deletes NAME) over the sandbox.
   * @throws TracemillError `invalid-archive` for an entry that would leave the sandbox.
   */
  applyWorkspace(tar: AsyncIterable<Uint8Array>): Promise<void>;
  /** Whether the environment, before any change in this sandbox, holds something at this absolute path. */
  baseHas(path: string): Promise<boolean>;
  /** Ends every process and deletes what is on disk. Safe to call twice. */
  close(): Promise<void>;
}

export interface DoctorCheck {
  name: string;
  status: "ok" | "missing" | "warning";
  /** What was found. */
  detail: string;
  /** What to do about it. */
  remedy?: string;
}

export interface SandboxProvider {
  readonly name: "namespace" | "docker" | "job" | "in-process";
  /**
   * @throws TracemillError `sandbox-unavailable` (this machine cannot), `sandbox-failed` (the build failed),
   * `cancelled` (nothing is wrong, but this process can make no more of them), `unsupported` (an instruction or
   * setting that cannot be honoured, by name).
   */
  create(spec: SandboxSpec): Promise<Sandbox>;
  doctor(): Promise<DoctorCheck[]>;
  /** Ends what it keeps ready between sandboxes; sandboxes that are open stay so. Safe to call twice. */
  close(): Promise<void>;
}
