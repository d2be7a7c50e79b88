import { lookup } from "node:dns/promises";
import { Agent } from "node:http";
import { isIPv6, type LookupFunction, type Socket } from "node:net";
import { type PrepareRequestFunctionResult, RequestError, Server } from "proxy-chain";
import { decide, type Resolve } from "./decide.ts";
import type { HostRules } from "./rules.ts";

export interface FilteringProxy {
  /** Serves a connection of the sandbox. */
  serve(socket: Socket): void;
  /** What was refused, each host and port once, with the reason; in the order of the first try. */
  refused(): readonly string[];
  /** Ends all connections. */
  close(): void;
}

type DnsLookup = NonNullable<PrepareRequestFunctionResult["dnsLookup"]>;

/** A program that tries every port shall not fill the attempt's record. */
const mostRefused = 20;

/**
 * An HTTP proxy (plain requests and CONNECT) that reaches what the rules allow and answers 403 to the rest. It
 * connects to the addresses that it has checked, so that a name that changes its address meanwhile gains nothing.
 */
export function filteringProxy(rules: HostRules, resolve: Resolve = systemResolve): FilteringProxy {
  const refused = new Set<string>();
  // A connection that is kept for the next request would not have had its address checked for that.
  const httpAgent = new Agent({ keepAlive: false });
  const server = new Server({
    prepareRequestFunction: async ({ hostname, port }) => {
      const decision = await decide(hostname, rules, resolve);
      if ("connect" in decision) return { httpAgent, dnsLookup: answering(decision.connect) };
      const what = `${hostname.slice(0, 253)}:${port}: ${decision.refused}`;
      if (refused.size < mostRefused) refused.add(what);
      throw new RequestError(`${what}\nThis sandbox reaches the hosts in its task's allowed_hosts.\n`, 403);
    },
  });
  return {
    serve: (socket) => server.server.emit("connection", socket),
    refused: () => [...refused],
    close: () => server.closeConnections(),
  };
}

async function systemResolve(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** A `lookup` for sockets that knows these addresses and no others. */
function answering(addresses: readonly string[]): DnsLookup {
  const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  const lookup: LookupFunction = (_name, options, callback) => {
    if (options.all === true) return callback(null, found);
    const [first] = found;
    callback(null, first?.address ?? "", first?.family);
  };
  // Its type there is that of `dns.lookup` with all its forms; sockets use this one.
  return lookup as DnsLookup;
}
