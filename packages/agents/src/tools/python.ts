import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxProcess } from "@tracemill/core/ports/sandbox.ts";
import { lines } from "@tracemill/core/streams.ts";
import { interpreter, maxAnswerBytes } from "./python-interpreter.ts";
import { badArguments, type Tool, type ToolSession, textArgument } from "./tool.ts";

const defaultTimeoutMs = 60_000;
const leaveMs = 1_000;

/** Runs Python; names, imports and functions live on between the calls of one attempt. */
export const python: Tool = {
  names: ["execute_python", "python", "run_python", "ipython"],
  definition: {
    type: "function",
    function: {
      name: "execute_python",
      description: "Runs Python code and returns what it prints and the value of its last expression.",
      parameters: { type: "object", properties: { code: { type: "string" } }, required: ["code"] },
    },
  },
  open: (session) => {
    const { timeoutMs = defaultTimeoutMs } = session;
    let running: Interpreter | undefined;
    return async (args) => {
      const code = textArgument(args, ["code", "source", "script"]);
      if (code === undefined) return badArguments("execute_python", "{code: string}");
      running ??= await startInterpreter(session);
      const answer = await running.run(code, timeoutMs);
      if (answer !== undefined) return answer;
      running = undefined;
      const stderr = `the interpreter ended, or gave no answer in ${timeoutMs / 1_000} s; names are lost`;
      return JSON.stringify({ stdout: "", stderr, result: null });
    };
  },
};

interface Interpreter {
  /** `undefined` when the interpreter died or took too long; it is gone then. */
  run(code: string, timeoutMs: number): Promise<string | undefined>;
}

async function startInterpreter({ sandbox, signal, resources }: ToolSession): Promise<Interpreter> {
  const found = await sandbox.exec(["/bin/sh", "-c", "command -v python3"], { signal });
  if (found.exitCode !== 0) {
    throw new TracemillError(
      "sandbox-failed",
      "the sandbox has no python3, which the tool execute_python needs; use an image that has it (for tasks without one TRACEMILL_DOCKER_BASE), or with `sandbox: namespace` install it on this machine",
    );
  }
  const process = await sandbox.start(["python3", "-c", interpreter], { env: { PYTHONHASHSEED: "0" } });
  resources.defer(() => leave(process, signal));
  const answers = lines(withShortLines(process.stdout));
  return {
    run: async (code, timeoutMs) => {
      const answer = await withinTime(ask(process, answers, code), timeoutMs, signal);
      if (answer === undefined) process.kill();
      return answer;
    },
  };
}

/** Ends the interpreter. Asked first: a machine may take seconds to bury a process that was killed. */
async function leave(process: SandboxProcess, signal: AbortSignal): Promise<void> {
  const left = process.write("null\n").then(() => process.exited);
  await withinTime(left, leaveMs, signal);
  process.kill();
}

/** Ends a stream whose line grows too long: the code could find this pipe, and fill this process's memory. */
async function* withShortLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of source) {
    const lineEnd = chunk.lastIndexOf(0x0a);
    size = lineEnd < 0 ? size + chunk.length : chunk.length - lineEnd - 1;
    if (size > maxAnswerBytes) return;
    yield chunk;
  }
}

async function ask(
  process: SandboxProcess,
  answers: AsyncGenerator<string>,
  code: string,
): Promise<string | undefined> {
  await process.write(`${JSON.stringify(code)}\n`);
  const next = await answers.next();
  return next.done === true || !isJson(next.value) ? undefined : next.value;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What `work` gives; `undefined` when the time runs out or the signal comes before. */
async function withinTime<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => resolve(undefined);
  const timer = setTimeout(stop, timeoutMs);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
