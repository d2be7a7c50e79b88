import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";

/** What a client of the benchmark talks through. */
export interface ProxyUnderTest {
  /** On 127.0.0.1. */
  port: number;
  /** PEM of what signs its certificates. */
  ca: string;
}

export interface Load {
  proxy: ProxyUnderTest;
  /** Of the provider, on 127.0.0.1. */
  providerPort: number;
  /** Clients at once. */
  clients: number;
  /** Requests of all of them together. */
  requests: number;
}

export interface LoadFigures {
  requestsPerSecond: number;
  /** Milliseconds until the first byte of an answer's body, the median. */
  firstByteMs: number;
}

const words = [
  "report",
  "column",
  "branch",
  "kernel",
  "filter",
  "window",
  "table",
  "signal",
  "folder",
  "parser",
];

/** Text of a seed: the same for the same one, another for any other. */
function textOf(seed: string, size: number): string {
  const parts: string[] = [];
  let state = 7;
  for (const char of seed) state = (state * 31 + char.charCodeAt(0)) % 2_147_483_647;
  for (let length = 0; length < size; ) {
    state = (state * 48_271) % 2_147_483_647;
    const word = words[state % words.length] ?? "";
    parts.push(word);
    length += word.length + 1;
  }
  return `${seed} ${parts.join(" ")}`;
}

/** Texts are made once: what is measured is the proxy. */
function remembered<T>(make: (user: string) => T): (user: string) => T {
  const known = new Map<string, T>();
  return (user) => {
    const found = known.get(user) ?? make(user);
    known.set(user, found);
    return found;
  };
}

/** A conversation of 40 KB. @param user what names the request. */
export const requestBody = remembered(newRequestBody);

/** The answer to it: 16 KB in 50 events. */
export const answerEvents = remembered(newAnswerEvents);

const answerOf = remembered((user) => answerEvents(user).join(""));

function newRequestBody(user: string): string {
  const messages = Array.from({ length: 20 }, (_unused, turn) => ({
    role: turn % 2 === 0 ? "user" : "assistant",
    content: textOf(`${user}/${turn}`, 1_950),
  }));
  return JSON.stringify({
    model: "bench-1",
    user,
    stream: true,
    stream_options: { include_usage: true },
    messages,
  });
}

const pieces = 48;

function newAnswerEvents(user: string): string[] {
  const chunk = (fields: object): string =>
    `data: ${JSON.stringify({ id: `c-${user}`, object: "chat.completion.chunk", created: 1, model: "bench-1", ...fields })}\n\n`;
  const said = answerText(user);
  const size = Math.ceil(said.length / pieces);
  const deltas = Array.from({ length: pieces }, (_unused, index) =>
    chunk({ choices: [{ index: 0, delta: { content: said.slice(index * size, (index + 1) * size) } }] }),
  );
  const usage = { prompt_tokens: 10_000, completion_tokens: 2_000, total_tokens: 12_000 };
  return [
    ...deltas,
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
    chunk({ choices: [], usage }),
    "data: [DONE]\n\n",
  ];
}

export function answerText(user: string): string {
  return textOf(`answer to ${user}`, 9_000);
}

/** One client: connections are kept, through CONNECT, with the proxy's TLS inside. */
export interface BenchClient {
  /** @returns milliseconds until the first byte. @throws when the answer is not that of the request. */
  ask(user: string): Promise<number>;
  close(): void;
}

export function benchClient(
  { port, ca }: ProxyUnderTest,
  providerPort: number,
  session: string,
): BenchClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  const to = `127.0.0.1:${providerPort}`;
  agent.createConnection = (_options, made) => {
    tunnelTo(port, to, session).then(
      (socket) => made?.(null, connectTls({ socket, ca, host: "127.0.0.1" })),
      (error) => made?.(error, undefined as never),
    );
    return undefined;
  };
  return {
    ask: async (user) => {
      const body = requestBody(user);
      const startedAt = performance.now();
      const sent = request(`https://${to}/v1/chat/completions`, {
        agent,
        method: "POST",
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      });
      sent.end(body);
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      let firstByteMs = 0;
      answer.once("data", () => {
        firstByteMs = performance.now() - startedAt;
      });
      const said = await text(answer);
      if (said !== answerOf(user))
        throw new Error(`another answer than that of ${user}: ${said.slice(0, 200)}`);
      return firstByteMs;
    },
    close: () => agent.destroy(),
  };
}

async function tunnelTo(port: number, to: string, session: string): Promise<Socket> {
  const credential = Buffer.from(`${session}:bench`).toString("base64");
  const sent = requestHttp({
    port,
    method: "CONNECT",
    path: to,
    agent: false,
    headers: { host: to, "proxy-authorization": `Basic ${credential}` },
  });
  sent.end();
  const [answer, socket] = (await once(sent, "connect")) as [IncomingMessage, Socket];
  if (answer.statusCode !== 200) throw new Error(`CONNECT was answered with ${answer.statusCode}`);
  return socket;
}

/** Of each client. */
const differentTurns = 20;

/** Asks from all clients at once, each as soon as it has its answer. */
export async function runLoad({ proxy, providerPort, clients, requests }: Load): Promise<LoadFigures> {
  let left = requests;
  const firstBytes: number[] = [];
  const work = async (_unused: unknown, index: number): Promise<void> => {
    const client = benchClient(proxy, providerPort, `load-${index}`);
    try {
      for (let turn = 0; left > 0; turn += 1) {
        left -= 1;
        firstBytes.push(await client.ask(`load-${index}-${turn % differentTurns}`));
      }
    } finally {
      client.close();
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: clients }, work));
  const seconds = (performance.now() - startedAt) / 1_000;
  const sorted = firstBytes.toSorted((a, b) => a - b);
  return { requestsPerSecond: requests / seconds, firstByteMs: sorted[Math.floor(sorted.length / 2)] ?? 0 };
}
