/** Runs the handlers of the emulated functions: started by start.ts, called by functions.py. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { ExecutionEnvironment, type Invocation, type Outcome } from "./execution-environment.ts";

/** Environments that wait for their next event, by what they were started for. */
const idle = new Map<string, ExecutionEnvironment[]>();

const server = createServer((request, response) => {
  answer(request).then(
    (outcome) => response.end(JSON.stringify(outcome)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = server.address();
process.stdout.write(`${typeof address === "object" && address !== null ? address.port : ""}\n`);
// Its end is the end of whoever started it.
process.stdin.resume().on("end", () => process.exit(0));

async function answer(request: IncomingMessage): Promise<Outcome> {
  return invoke(JSON.parse(await text(request)) as Invocation);
}

/** One event at a time in an environment, as in Lambda; a new environment when all are busy. */
async function invoke(invocation: Invocation): Promise<Outcome> {
  const { name, codeDir, handler, env } = invocation;
  const key = JSON.stringify([name, codeDir, handler, env]);
  const environment = idle.get(key)?.pop() ?? new ExecutionEnvironment(invocation);
  const outcome = await environment.handle(invocation);
  if (environment.isUsable) idle.set(key, [...(idle.get(key) ?? []), environment]);
  return outcome;
}
