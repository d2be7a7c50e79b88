import { Worker } from "node:worker_threads";

export interface Invocation {
  name: string;
  arn: string;
  codeDir: string;
  /** `file.export`, as Lambda has it. */
  handler: string;
  env: Record<string, string>;
  timeoutMs: number;
  memoryMb: number;
  requestId: string;
  event: unknown;
}

export interface FunctionError {
  errorType: string;
  errorMessage: string;
  trace?: string[];
}

/** `payload` is JSON text, as the Runtime API carries it. */
export type Outcome = ({ payload: string } | { error: FunctionError }) & { logs: string };

/** What a thread is asked; it answers once. */
export type Task = Omit<Invocation, "env" | "codeDir" | "handler"> & { deadlineMs: number };
export type Answer = { payload: string } | { error: FunctionError };

/** Loading a module may take this long before its first event counts against the function's timeout (Lambda: 10 s). */
const initMs = 10_000;

/** A thread with the function's environment, module state of its own and one event at a time. */
export class ExecutionEnvironment {
  isUsable = true;
  #worker: Worker;
  #log = "";
  #ready: Promise<void>;

  constructor({ codeDir, handler, env }: Invocation) {
    const file = new URL("execution-thread.ts", import.meta.url);
    this.#worker = new Worker(file, { env, stdout: true, stderr: true, workerData: { codeDir, handler } });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ready = promise;
    this.#worker.once("message", () => resolve());
    this.#worker.once("error", () => resolve());
    this.#worker.once("exit", () => resolve());
  }

  async handle(invocation: Invocation): Promise<Outcome> {
    const answer = await this.#ask(invocation);
    // The thread's output arrives by another way than its answer.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const logs = this.#log;
    this.#log = "";
    return { ...answer, logs };
  }

  async #ask({ env: _, codeDir: __, handler: ___, ...task }: Invocation): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const crashed = (why: string) => this.#lost(resolve, "Runtime.ExitError", why);
    const onError = (error: Error) => crashed(`${error.message}`);
    const onExit = (code: number) =>
      crashed(`RequestId: ${task.requestId} Error: Runtime exited with error: exit status ${code}`);
    const onMessage = (answer: Answer) => resolve(answer);
    this.#worker.on("error", onError).on("exit", onExit);
    const init = setTimeout(() => crashed("Init phase timed out"), initMs);
    await this.#ready;
    clearTimeout(init);
    this.#worker.on("message", onMessage);
    this.#worker.postMessage({ ...task, deadlineMs: Date.now() + task.timeoutMs } satisfies Task);
    const timer = setTimeout(() => {
      const seconds = (task.timeoutMs / 1000).toFixed(2);
      const message = `RequestId: ${task.requestId} Error: Task timed out after ${seconds} seconds`;
      this.#lost(resolve, "Sandbox.Timedout", message);
    }, task.timeoutMs);
    const answer = await promise;
    clearTimeout(timer);
    this.#worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    return answer;
  }

  /** The environment is gone, and with it whatever the handler was doing. */
  #lost(resolve: (answer: Answer) => void, errorType: string, errorMessage: string): void {
    this.isUsable = false;
    resolve({ error: { errorType, errorMessage } });
    void this.#worker.terminate();
  }
}
