import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Listeners and connections of a proxy, all of which end with it. */
export interface Connections {
  /** Listens on 127.0.0.1. @param port 0 takes a free one. @throws Error of the system: the port is taken. */
  listen(port: number, onConnection: (socket: Socket) => void): Promise<{ url: string; port: number }>;
  /** Whether this is a port that `listen` listens on. */
  hasPort(port: number): boolean;
  /** Ends this connection with the rest. An error of it ends it alone. */
  hold(connection: Duplex): void;
  /** Resolves once all are closed. */
  close(): Promise<void>;
}

export function openConnections(): Connections {
  const open = new Set<Duplex>();
  const listeners = new Map<number, Server>();
  return {
    listen: async (wanted, onConnection) => {
      // A client may say that it has no more to send, and still read.
      const server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, onConnection);
      server.listen(wanted, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      listeners.set(port, server);
      return { url: `http://127.0.0.1:${port}`, port };
    },
    hasPort: (port) => listeners.has(port),
    hold: (connection) => {
      if (open.has(connection)) return;
      open.add(connection);
      connection.on("error", () => connection.destroy());
      connection.once("close", () => open.delete(connection));
    },
    close: async () => {
      const closed = [...listeners.values()].map((server) => once(server.close(), "close"));
      const ended = [...open]
        .filter((connection) => !connection.closed)
        .map((connection) => once(connection, "close"));
      for (const connection of open) connection.destroy();
      await Promise.allSettled([...closed, ...ended]);
      listeners.clear();
    },
  };
}
