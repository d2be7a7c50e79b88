import { type ServerResponse, STATUS_CODES } from "node:http";
import { errorBody } from "@tracemill/core/protocols/error-body.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";

/** What the proxy says in its own name. */
export interface OwnAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/**
 * Answers in the proxy's own name: as the protocol shapes its errors, else in plain text.
 * @returns what the client sees; `undefined` where an answer had begun, which then breaks off.
 */
export function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  { protocol, headers = {} }: { protocol?: ModelProtocol | undefined; headers?: Record<string, string> } = {},
): OwnAnswer | undefined {
  if (response.headersSent) {
    response.destroy();
    return undefined;
  }
  const shaped = protocol === undefined ? undefined : errorBody(protocol, { status, message });
  const body = shaped === undefined ? `${message}\n` : JSON.stringify(shaped.body);
  const type = shaped === undefined ? "text/plain; charset=utf-8" : "application/json";
  const length = String(Buffer.byteLength(body));
  const said = { "content-type": type, "content-length": length, ...shaped?.headers, ...headers };
  // In words of its own: a reason that could not be written is still there.
  response.writeHead(status, STATUS_CODES[status] ?? "", said);
  response.end(body);
  return { status, headers: said, body };
}
