import { isIP } from "node:net";
import { isOwnAddress, isPublicAddress } from "./addresses.ts";
import type { HostRules } from "./rules.ts";

/** Looks a name up. @returns its addresses; rejects when there are none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** `connect`: addresses that were checked, to connect to and to no others. */
export type Decision = { connect: readonly string[] } | { refused: string };

/**
 * Whether a host may be reached. A name must be on the list by name; its addresses must be public, or on the list
 * themselves: whoever owns the name may point it into this machine's network. Addresses that were asked for as such
 * must be on the list. This machine's own loopback is never reached: in a task, `127.0.0.1` means the sandbox.
 * @param asked host of a URL or a CONNECT line, without its port.
 */
export async function decide(asked: string, rules: HostRules, resolve: Resolve): Promise<Decision> {
  const host = asked
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.+$/, "");
  if (host.includes("%")) return { refused: "an address with a zone" };
  if (isIP(host) !== 0) {
    const isListed = rules.hasAddress(host) && !isOwnAddress(host);
    return isListed ? { connect: [host] } : { refused: "not in allowed_hosts" };
  }
  if (!rules.hasName(host)) return { refused: "not in allowed_hosts" };
  const found = await resolve(host).catch(() => []);
  if (found.length === 0) return { refused: "no such host" };
  const connect = found.filter((address) => mayConnect(address, rules));
  return connect.length > 0 ? { connect } : { refused: "its addresses are not public, nor in allowed_hosts" };
}

function mayConnect(address: string, rules: HostRules): boolean {
  if (address.includes("%")) return false;
  return isPublicAddress(address) || (rules.hasAddress(address) && !isOwnAddress(address));
}
