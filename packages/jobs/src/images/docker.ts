import { spawn } from "node:child_process";
import { once } from "node:events";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { JobLog } from "../log.ts";
import { LineTail } from "../model-server/line-tail.ts";
import { failureIn, mayPass } from "./build-failure.ts";

/** Lines of a command's output that are kept for its failure. */
const keptLines = 200;

/** Variables that Docker's program is given. None of ours: they hold the job's credentials. */
const passed = ["PATH", "HOME", "DOCKER_HOST", "XDG_RUNTIME_DIR"];

export interface DockerCommand {
  /** What it is for, to begin an error with. */
  doing: string;
  args: readonly string[];
  stdin?: string;
  /** Holds the registry's login; its own for each job, so that nothing of it stays. */
  configDir: string;
  timeoutMs?: number;
}

/**
 * Runs Docker's command line program to its end; its output goes into the job's log.
 * @throws TracemillError `sandbox-failed` (retryable when a registry or the network was at fault), `timeout`,
 * `sandbox-unavailable` (no such program), `cancelled`.
 */
export type Docker = (command: DockerCommand) => Promise<void>;

interface DockerOptions {
  environment: Readonly<Record<string, string | undefined>>;
  log: JobLog;
  signal: AbortSignal;
  /** Default `docker`, found on the PATH of `environment`. */
  program?: string;
}

/** Arguments go to the program as they are: no shell reads them. */
export function dockerCli({ environment, log, signal, program = "docker" }: DockerOptions): Docker {
  const own = Object.fromEntries(passed.map((name) => [name, environment[name]]));
  return async ({ doing, args, stdin = "", configDir, timeoutMs }) => {
    const limit = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const stop = limit === undefined ? signal : AbortSignal.any([signal, limit]);
    const env = { ...own, DOCKER_CONFIG: configDir, DOCKER_BUILDKIT: "1", BUILDKIT_PROGRESS: "plain" };
    stop.throwIfAborted();
    const child = spawn(program, args, { env, signal: stop, stdio: ["pipe", "pipe", "pipe"] });
    const tail = new LineTail(keptLines);
    for (const stream of [child.stdout, child.stderr])
      tail.follow(stream, (line) => log.info("docker", { line }));
    // A program that ends without reading its input is not at fault for that.
    child.stdin.on("error", () => undefined).end(stdin);
    const [code] = await once(child, "close").catch((error: unknown) => {
      throw stopped(error, { doing, program, timeoutMs, limit });
    });
    if (code === 0) return;
    const retryable = mayPass(tail.lines);
    throw new TracemillError("sandbox-failed", `${doing}: ${failureIn(tail.lines)}`, { retryable });
  };
}

interface Stopped {
  doing: string;
  program: string;
  timeoutMs: number | undefined;
  limit: AbortSignal | undefined;
}

function stopped(cause: unknown, { doing, program, timeoutMs = 0, limit }: Stopped): TracemillError {
  if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
    const message = `${doing}: no program \`${program}\` here; the worker's image has it, see packages/jobs/Dockerfile`;
    return new TracemillError("sandbox-unavailable", message, { cause });
  }
  if (limit?.aborted) {
    const message = `${doing}: not done after ${timeoutMs / 1_000} s (\`environment.build_timeout_sec\` of the task)`;
    return new TracemillError("timeout", message, { cause });
  }
  return new TracemillError("cancelled", `${doing}: stopped on request`, { cause });
}
