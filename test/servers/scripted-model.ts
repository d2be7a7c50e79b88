import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a model was asked, as it came over the wire. */
export interface Asked {
  path: string;
  headers: IncomingHttpHeaders;
  body: {
    model: string;
    messages: Record<string, unknown>[];
    tools?: { function: { name: string } }[];
    [field: string]: unknown;
  };
}

/** A reply: status (default 200), headers and body; or a function that plays with the connection itself. */
export type Reply =
  | { status?: number; headers?: Record<string, string>; body: unknown }
  | ((response: ServerResponse) => void);

export interface ScriptedModel extends AsyncDisposable {
  baseUrl: string;
  asked: Asked[];
}

/**
 * An OpenAI-compatible server on this machine whose replies the test writes: `script` gets what was asked, and how
 * many requests came before.
 */
export async function scriptedModel(script: (asked: Asked, before: number) => Reply): Promise<ScriptedModel> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const text = Buffer.concat(await Array.fromAsync<Buffer>(request)).toString("utf8");
    const one = {
      path: request.url ?? "",
      headers: request.headers,
      body: JSON.parse(text) as Asked["body"],
    };
    asked.push(one);
    const reply = script(one, asked.length - 1);
    if (typeof reply === "function") return reply(response);
    const body = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
    response.writeHead(reply.status ?? 200, { "content-type": "application/json", ...reply.headers });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A chat completion with one choice. */
export function completion(
  message: Record<string, unknown>,
  { finish = "stop", ...rest }: { finish?: string | null; [field: string]: unknown } = {},
): Reply {
  return {
    body: {
      id: "chatcmpl-1",
      object: "chat.completion",
      choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
      usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
      ...rest,
    },
  };
}

/** An answer that calls tools, in the form of the API. */
export function calls(...called: [name: string, args: Record<string, unknown> | string][]): Reply {
  const toolCalls = called.map(([name, args], index) => ({
    id: `call_${index}`,
    type: "function",
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  }));
  return completion({ content: null, tool_calls: toolCalls }, { finish: "tool_calls" });
}
