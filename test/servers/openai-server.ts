/**
 * An OpenAI-compatible server of one model that answers without thinking, to stand in for vLLM:
 *
 *     node test/servers/openai-server.ts --port 8000 --model NAME [--load-ms 500] [--die-after 3] [--sick-after 3]
 *         [--lives-file PATH] [--die-lives 1] [--refuse]
 *
 * `--load-ms`: `/health` answers 503 for so long. `--die-after`: it dies in the middle of so many-th completion.
 * `--sick-after`: from then on it answers 500 to everything, as vLLM does when its engine is dead. `--lives-file`:
 * only the first `--die-lives` processes that share the file do so. `--refuse`: it ends while it loads, as a server
 * does that finds no GPU.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    model: { type: "string", default: "test" },
    "load-ms": { type: "string", default: "0" },
    "die-after": { type: "string" },
    "sick-after": { type: "string" },
    "lives-file": { type: "string" },
    "die-lives": { type: "string", default: "1" },
    refuse: { type: "boolean", default: false },
  },
});

const { model } = values;
const loadedAt = Date.now() + Number(values["load-ms"]);
const ails = mayDie();
const dieAfter = whenIll(values["die-after"]);
const sickAfter = whenIll(values["sick-after"]);
let completions = 0;

function whenIll(completion: string | undefined): number {
  return ails && completion !== undefined ? Number(completion) : Number.POSITIVE_INFINITY;
}

/** Notes this process in the file that its successors share. */
function mayDie(): boolean {
  const file = values["lives-file"];
  if (file === undefined) return true;
  appendFileSync(file, "x");
  return readFileSync(file, "utf8").length <= Number(values["die-lives"]);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await Array.fromAsync<Buffer>(request)).toString("utf8");
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, message: string): void {
  answer(response, status, { error: { message, type: "invalid_request_error", code: null } });
}

/** The last message with the letters reversed, so that a test sees that its own words arrived. */
async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = JSON.parse(await bodyOf(request)) as { model?: string; messages?: { content?: string }[] };
  if (asked.model !== model) return refuse(response, 404, `The model \`${asked.model}\` does not exist.`);
  completions += 1;
  if (completions >= dieAfter) {
    say("RuntimeError: CUDA error: an illegal memory access was encountered");
    process.exit(1);
  }
  if (completions >= sickAfter) return refuse(response, 500, "EngineCore encountered an issue.");
  const last = asked.messages?.at(-1)?.content ?? "";
  const content = [...last].reverse().join("");
  const prompt = (asked.messages ?? []).reduce((sum, message) => sum + (message.content ?? "").length, 0);
  answer(response, 200, {
    id: `chatcmpl-${completions}`,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1_000),
    model,
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: content.length,
      total_tokens: prompt + content.length,
    },
  });
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const isLoaded = Date.now() >= loadedAt;
  const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
  if (completions >= sickAfter) return refuse(response, 500, "EngineCore encountered an issue.");
  if (pathname === "/health") return answer(response, isLoaded ? 200 : 503, {});
  if (!isLoaded) return refuse(response, 503, "The model is loading.");
  if (pathname === "/v1/models") return answer(response, 200, { object: "list", data: [{ id: model }] });
  if (pathname === "/v1/chat/completions" && request.method === "POST") return complete(request, response);
  return refuse(response, 404, `${request.method} ${pathname}: not here`);
}

if (values.refuse) {
  process.stderr.write("RuntimeError: No CUDA GPUs are available\n");
  process.exit(1);
}
const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => refuse(response, 400, String(error)));
});
server.listen(Number(values.port), "127.0.0.1", () => {
  say(`loading model ${model}`);
  const address = server.address();
  if (typeof address === "object" && address !== null) say(`listening on http://127.0.0.1:${address.port}`);
});
