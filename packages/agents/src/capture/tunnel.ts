import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import { type Duplex, pipeline } from "node:stream";
import { type SecureContext, TLSSocket } from "node:tls";
import { messageOf } from "@tracemill/core/errors.ts";
import type { Client, Refusal } from "./client.ts";
import type { Endpoint } from "./dial.ts";

/** Reads the line of a CONNECT: `host:port`. */
export function endpointOf({ url = "" }: Pick<IncomingMessage, "url">): Endpoint | undefined {
  const [, bracketed, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/.exec(url) ?? [];
  const host = (bracketed ?? name ?? "").toLowerCase().replace(/\.+$/, "");
  return host === "" || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}

/** Answers a CONNECT that comes to nothing, in words. */
export function refuseTunnel(socket: Duplex, { status, message, headers = {} }: Refusal): void {
  const body = `${message}\n`;
  const lines = Object.entries({
    ...headers,
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body}`);
}

const established = "HTTP/1.1 200 Connection Established\r\n\r\n";

/** Joins the client with the host it named, unread. */
export async function passTunnel(socket: Duplex, open: () => Promise<Duplex>): Promise<void> {
  let upstream: Duplex;
  try {
    upstream = await open();
  } catch (error) {
    return refuseTunnel(socket, { status: 502, message: messageOf(error) });
  }
  socket.write(established);
  pipeline(socket, upstream, ignore);
  pipeline(upstream, socket, ignore);
}

/** Either side may leave at any time; the other is then closed. */
function ignore(): void {}

/** Milliseconds for a client's TLS handshake. */
const handshakeMs = 30_000;

/**
 * Opens what a client sends through a CONNECT: TLS with a certificate for the host, or plain HTTP where it begins so.
 * @param serve gets the connection that HTTP is spoken on.
 */
export function openTunnel(
  socket: Duplex,
  to: Endpoint,
  contextFor: (host: string) => SecureContext,
  serve: (connection: Duplex, scheme: "http" | "https") => void,
): void {
  socket.write(established);
  const giveUp = setTimeout(() => socket.destroy(), handshakeMs);
  socket.once("close", () => clearTimeout(giveUp));
  socket.once("readable", () => {
    const first = socket.read() as Buffer | null;
    if (first === null) return socket.destroy();
    socket.unshift(first);
    // A TLS record of a handshake begins with 22.
    if (first[0] !== 22) {
      clearTimeout(giveUp);
      return serve(socket, "http");
    }
    const secured = new TLSSocket(socket as ConstructorParameters<typeof TLSSocket>[0], {
      isServer: true,
      secureContext: contextFor(to.host),
      ALPNProtocols: ["http/1.1"],
      // A client may name another host within (its own alias of it): it is answered for that name.
      SNICallback: (name, done) => done(null, contextFor(name)),
    });
    secured.once("secure", () => {
      clearTimeout(giveUp);
      serve(secured, "https");
    });
    secured.on("error", () => secured.destroy());
    secured.once("close", () => socket.destroy());
  });
}

/** The client on the inside of a tunnel. */
export function insideOf(
  { session, isSandboxed }: { session: (Client & { kind: "door" })["session"]; isSandboxed: boolean },
  { host, port }: Endpoint,
  scheme: "http" | "https",
): Client {
  const name = host.includes(":") ? `[${host}]` : host;
  return { kind: "origin", session, isSandboxed, origin: `${scheme}://${name}:${port}` };
}
