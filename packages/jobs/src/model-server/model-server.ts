import { TracemillError } from "@tracemill/core/errors.ts";
import type { ModelEndpoint } from "@tracemill/core/ports/agent.ts";
import type { ServedModel } from "@tracemill/core/run/spec.ts";
import { type HealthDeps, isHealthy, untilHealthy, untilUnhealthy } from "./health.ts";
import { freePort, type ServerProcess, startServerProcess } from "./server-process.ts";

/** Time to load, where the spec says none: the weights of a large model come over the network. */
const startTimeoutMs = 20 * 60_000;

/** Pauses before a server that died is started again. After the last one it is given up. */
const restartPausesMs = [1_000, 5_000, 15_000] as const;

/** Lines of its log that the error quotes. */
const quotedLines = 3;

/** Before a server that did not answer is looked at again. */
const doubtMs = 500;

/** A model that this job serves to its trials. */
export interface ModelServer extends AsyncDisposable {
  /** Where it is reached; waits while it starts. Rejects when it was given up, or the signal is aborted. */
  endpoint(signal: AbortSignal): Promise<ModelEndpoint>;
  /** Aborted with the reason when the server was given up: nothing can be asked of it any more. */
  readonly failed: AbortSignal;
}

interface Options {
  /** What agents call the model. */
  name: string;
  served: ServedModel;
  /** Of this process, for the server. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Stop waiting for it. */
  signal: AbortSignal;
}

/**
 * Starts a model's server and waits until the model is loaded. One that dies later is started again, three times
 * at most; one that never came up is not.
 * @throws TracemillError `model-failed` with the end of the server's log.
 */
export async function startModelServer(options: Options, deps: HealthDeps): Promise<ModelServer> {
  const server = new SupervisedServer(options, deps);
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

interface Up extends ModelEndpoint {
  healthUrl: string;
}

class SupervisedServer implements ModelServer {
  readonly #options: Options;
  readonly #deps: HealthDeps;
  readonly #failed = new AbortController();
  readonly #stopping = new AbortController();
  #process: ServerProcess | undefined;
  #port: number | undefined;
  /** Where it is reached, once it is up again. */
  #up = Promise.withResolvers<Up>();
  #supervising: Promise<void> = Promise.resolve();

  constructor(options: Options, deps: HealthDeps) {
    this.#options = options;
    this.#deps = deps;
    ignoreRejection(this.#up.promise);
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /**
   * A server that has just died is found out by asking it: an attempt that is told to try again does so within
   * milliseconds, and would use up all its tries before this process hears of the death.
   */
  async endpoint(signal: AbortSignal): Promise<ModelEndpoint> {
    for (;;) {
      const { healthUrl, ...endpoint } = await unlessAborted(this.#up.promise, signal);
      if (await isHealthy(healthUrl, signal, this.#deps)) return endpoint;
      await this.#deps.clock.sleep(doubtMs, signal);
    }
  }

  async start(): Promise<void> {
    const problem = await this.#launch();
    if (problem !== undefined) throw this.#error(problem);
    this.#supervising = this.#supervise().catch((error: unknown) => this.#giveUp(error));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#process?.stop();
    await this.#supervising;
    // One that was just being started again.
    await this.#process?.stop();
  }

  /** Starts the server. @returns what went wrong; it is stopped then. */
  async #launch(): Promise<string | undefined> {
    const { name, served, environment, signal } = this.#options;
    const { model = name, healthPath, startTimeout: timeoutMs = startTimeoutMs } = served;
    const { clock, log } = this.#deps;
    // The same again: an agent in the middle of its work finds the new server where the old one was.
    const port = await freePort(this.#port);
    this.#port = port;
    const fill = (part: string): string =>
      part.replaceAll("{model}", model).replaceAll("{port}", String(port));
    const url = `http://127.0.0.1:${port}`;
    log.info("model-server-starting", { model, port });
    const server = startServerProcess(served.command.map(fill), { ...environment, ...served.env });
    this.#process = server;
    const healthUrl = url + healthPath;
    const stop = AbortSignal.any([signal, this.#stopping.signal]);
    const startedAt = clock.now();
    const problem = await untilHealthy(server, healthUrl, { timeoutMs, signal: stop }, this.#deps);
    if (problem === undefined) {
      log.info("model-server-up", { model, seconds: Math.round((clock.now() - startedAt) / 1_000) });
      this.#up.resolve({ baseUrl: `${url}/v1`, model, healthUrl });
    } else await server.stop();
    return problem;
  }

  async #supervise(): Promise<void> {
    let problem = await this.#untilDown();
    for (const pauseMs of restartPausesMs) {
      if (problem === undefined) return;
      this.#deps.log.warn("model-server-died", { reason: problem, lines: this.#process?.log.lines });
      await this.#deps.clock.sleep(pauseMs, this.#stopping.signal);
      problem = (await this.#launch()) ?? (await this.#untilDown());
    }
    if (problem !== undefined)
      this.#giveUp(this.#error(`${problem}, after ${restartPausesMs.length} restarts`));
  }

  /** Waits until it is of no use any more. @returns why; `undefined` when it was stopped here. */
  async #untilDown(): Promise<string | undefined> {
    const { signal } = this.#stopping;
    const server = this.#process;
    if (server === undefined) return undefined;
    const { healthUrl } = await this.#up.promise;
    const problem = await untilUnhealthy(server, healthUrl, signal, this.#deps);
    if (signal.aborted) return undefined;
    this.#up = Promise.withResolvers();
    ignoreRejection(this.#up.promise);
    await server.stop();
    return problem;
  }

  #giveUp(error: unknown): void {
    this.#up.reject(error);
    this.#failed.abort(error);
  }

  #error(problem: string): TracemillError {
    const lines = this.#process?.log.lines ?? [];
    const { name, served } = this.#options;
    const quoted = lines.length === 0 ? "" : `; its log ends: ${lines.slice(-quotedLines).join(" | ")}`;
    return new TracemillError(
      "model-failed",
      `the server of model ${name} (${served.command[0]}): ${problem}${quoted}`,
      { context: { lines } },
    );
  }
}

/** Whoever waits for it hears of it; when nobody waits, that is no unhandled rejection. */
function ignoreRejection(promise: Promise<unknown>): void {
  promise.catch(() => undefined);
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const stop = Promise.withResolvers<never>();
  const onAbort = (): void => stop.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, stop.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
