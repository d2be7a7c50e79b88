import type { IncomingHttpHeaders } from "node:http";

/** Of one connection alone (RFC 9110, 7.6.1), and what is meant for a proxy. */
const hopByHop = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "transfer-encoding", "upgrade", "http2-settings"],
]);

/** How clients of models say who they are. */
const credentials = new Set(["authorization", "x-api-key", "api-key", "x-goog-api-key"]);

export function isCredential(name: string): boolean {
  return credentials.has(name.toLowerCase());
}

/**
 * Headers as they go on: names as they were written, in their order, without those of the connection.
 * @param raw names and values in turn, as `IncomingMessage.rawHeaders`.
 * @param drop further names, in lower case.
 */
export function passedHeaders(
  raw: readonly string[],
  connection: string | undefined,
  drop: (name: string) => boolean = () => false,
): string[] {
  const named = new Set(
    (connection ?? "")
      .toLowerCase()
      .split(",")
      .map((name) => name.trim()),
  );
  const passed: string[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !named.has(lower) && !drop(lower)) passed.push(name, raw[index + 1] ?? "");
  }
  return passed;
}

/**
 * Where a request's body ends, said anew from what was read of it: a client that could take the length away (by naming
 * it in `Connection`) would have its body read as the next request of the connection, which others use too.
 */
export function framing(method: string, headers: IncomingHttpHeaders): string[] {
  if (headers["transfer-encoding"] !== undefined) return ["Transfer-Encoding", "chunked"];
  const length = headers["content-length"];
  if (length !== undefined) return ["Content-Length", length];
  return ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"].includes(method) ? [] : ["Content-Length", "0"];
}
