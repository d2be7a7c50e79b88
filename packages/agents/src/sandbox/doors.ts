import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxListener } from "@tracemill/core/ports/sandbox.ts";

/** Most connections at a time: a program in a sandbox shall not use up this process's open files. */
export const mostConnections = 256;

export type OnConnection = (connection: Duplex) => void;

/** Ends one way into a sandbox. Safe to call twice. */
type Close = () => Promise<void>;

/** The open doors of one sandbox, closed with it. */
export class Doors {
  readonly #open = new Set<Close>();
  #isClosed = false;

  /**
   * Keeps a door until it is closed, or all are.
   * @throws TracemillError `sandbox-failed` when all were closed while it was opened.
   */
  async keep({ port, close }: SandboxListener): Promise<SandboxListener> {
    if (this.#isClosed) {
      await close();
      throw new TracemillError("sandbox-failed", "the sandbox is closed");
    }
    this.#open.add(close);
    return {
      port,
      close: () => {
        this.#open.delete(close);
        return close();
      },
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open].map((close) => close()));
    this.#open.clear();
  }
}

/**
 * Serves what connects to a listening socket.
 * @param listening the socket, wherever it listens; it belongs to the door from now on.
 * @param admits whether a connection is one of the sandbox; others are ended at once. Default: all are.
 */
export function serveDoor(
  listening: Server,
  onConnection: OnConnection,
  admits: (socket: Socket) => boolean = () => true,
): SandboxListener {
  const connections = new Set<Socket>();
  // A server that came from another process ends both directions of a connection at once; one that adopts it does not.
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(listening);
  server.maxConnections = mostConnections;
  server.on("connection", (socket) => {
    // Who breaks off is nobody's failure: the other side sees the end of it.
    socket.on("error", () => undefined);
    if (!admits(socket)) return void socket.destroy();
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    onConnection(socket);
  });
  const closed = new Promise<void>((resolve) => server.once("close", resolve));
  return {
    port: portOf(listening),
    close: async () => {
      server.close();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

/** Listens on a free port of this process's own 127.0.0.1. */
export async function listenHere(): Promise<Server> {
  const server = createServer();
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen({ host: "127.0.0.1", port: 0 }, listening.resolve);
  await listening.promise;
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address === "object" && address !== null) return address.port;
  throw new TracemillError("sandbox-failed", "a socket that listens has no port");
}
