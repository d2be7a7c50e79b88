/** Inside an execution environment: loads the handler once, then gives it one event after another. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import type { Answer, FunctionError, Task } from "./execution-environment.ts";

type Handler = (event: unknown, context: object) => Promise<unknown>;

const { codeDir, handler: name } = workerData as { codeDir: string; handler: string };
const port = parentPort;
if (port === null) throw new Error("execution-thread.ts runs in a worker thread");

const loading = load().then(
  (handler) => ({ handler }),
  (error: unknown) => ({ error: described(error) }),
);
await loading;
port.postMessage("ready");
port.on("message", (task: Task) => {
  void answer(task).then((said) => port.postMessage(said));
});

async function load(): Promise<Handler> {
  const dot = name.lastIndexOf(".");
  const base = join(codeDir, name.slice(0, dot));
  const file = [".mjs", ".js", ".cjs", ".ts"].map((end) => base + end).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`Cannot find module '${name.slice(0, dot)}' in ${codeDir}`);
  const module = (await import(pathToFileURL(file).href)) as Record<string, Handler | undefined>;
  const handler = module[name.slice(dot + 1)];
  if (handler === undefined) throw new Error(`${name} is undefined or not exported`);
  return handler;
}

async function answer(task: Task): Promise<Answer> {
  const loaded = await loading;
  if ("error" in loaded) return loaded;
  try {
    const result = await loaded.handler(task.event, contextOf(task));
    return { payload: JSON.stringify(result ?? null) };
  } catch (error) {
    return { error: described(error) };
  }
}

function contextOf({ name, arn, requestId, memoryMb, deadlineMs }: Task): object {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: arn,
    memoryLimitInMB: String(memoryMb),
    awsRequestId: requestId,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: requestId,
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}

/** As the Node runtime of Lambda reports what a handler threw. */
function described(error: unknown): FunctionError {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: String(error) };
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? "").split("\n") };
}
