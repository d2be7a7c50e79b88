import type { ServerResponse } from "node:http";
import { errorBody } from "@tracemill/core/protocols/error-body.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";

/** Answers in the proxy's own name: as the protocol shapes its errors, else in plain text. */
export function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  { protocol, headers = {} }: { protocol?: ModelProtocol | undefined; headers?: Record<string, string> } = {},
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const shaped = protocol === undefined ? undefined : errorBody(protocol, { status, message });
  const body = shaped === undefined ? `${message}\n` : JSON.stringify(shaped.body);
  const type = shaped === undefined ? "text/plain; charset=utf-8" : "application/json";
  const length = Buffer.byteLength(body);
  response.writeHead(status, {
    "content-type": type,
    "content-length": length,
    ...shaped?.headers,
    ...headers,
  });
  response.end(body);
}
