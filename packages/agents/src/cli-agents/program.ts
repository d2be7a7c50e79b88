import type { NativeLog } from "@tracemill/core/atif/native/log-lines.ts";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import type { SandboxFile } from "@tracemill/core/ports/sandbox.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";

/** What a program in a sandbox is told of its work, and of the way to its model. */
export interface Door {
  /** `http://127.0.0.1:PORT`, without a path. */
  origin: string;
  /** What the server calls the model. */
  model: string;
  /** How that server speaks. */
  protocol: ModelProtocol;
  instruction: string;
  workdir: string;
  /** The spec's `env`, for `${NAME}` among the values of `options.env`. */
  env: Readonly<Record<string, string>>;
  /** The program's own folder, made before it starts; `$PROGRAM_HOME` in a shell. */
  home: string;
  /** PEM: what the program has to trust when it goes to a host of its own choice through the door. */
  certificate: string;
  /** The sandbox has no network: nothing but the door is in reach. */
  isAlone: boolean;
}

/** A key that is none: the real one is added outside the sandbox. */
export const placeholderKey = "not-a-key";

/** One start of a program. */
export interface Launch {
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  stdin?: string;
  /** Written before it starts, removed when it has ended. */
  files?: readonly SandboxFile[];
}

/** Why a program failed, in its own words; `limit`: its own number of turns ended it. */
export interface Explained {
  reason: string;
  limit?: true;
}

/** A program for the command line that works on a task with a model. */
export interface Program {
  name: string;
  version: string;
  /** What it speaks; absent: whatever its model's server does. */
  protocol?: ModelProtocol;
  /** Names its folder in the sandbox. */
  folder: string;
  /** Patterns of the shell, below its home: its own logs. All else there is removed when it has ended. */
  logs: readonly string[];
  launch(door: Door): Launch;
  /** Reads from its output why it failed. @returns undefined when that does not say. */
  explain?(stdout: string): Explained | undefined;
  /** @returns undefined when its logs tell nothing; the captured session then tells it. */
  trajectory(logs: readonly NativeLog[]): Trajectory | undefined;
}

/** JSON of a line of output; undefined for anything else. */
export function parsedLine(line: string | undefined): unknown {
  try {
    return line === undefined ? undefined : JSON.parse(line);
  } catch {
    return undefined;
  }
}
