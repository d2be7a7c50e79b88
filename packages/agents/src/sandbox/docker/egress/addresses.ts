import { BlockList, isIPv6 } from "node:net";

/** This machine itself, and addresses that no single host has. */
const own = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "ff00::/8"];

/** Ranges that the public internet does not route: the "Globally Reachable: False" of IANA's special-purpose registries. */
const inside = [
  ...["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"],
  ...["192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7"],
  ...["fe80::/10", "fec0::/10"],
];

/** IPv6 that carries an IPv4 address in it, and where: NAT64, 6to4. BlockList looks into `::ffff:0:0/96` by itself. */
const carriers = ["64:ff9b::/96", "2002::/16", "::/96"];

const ownRanges = ranges(own);
const insideRanges = ranges(inside);
const carrierRanges = ranges(carriers);

/** Whether an address is this machine's own loopback, or none that one host answers at. */
export function isOwnAddress(address: string): boolean {
  return ownRanges.check(address, familyOf(address));
}

/**
 * Whether an address is one of the public internet. Of IPv6 that carries IPv4 in it nothing is: where it leads is
 * a matter of this machine's network.
 */
export function isPublicAddress(address: string): boolean {
  const family = familyOf(address);
  return [ownRanges, insideRanges, carrierRanges].every((list) => !list.check(address, family));
}

function ranges(entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/");
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

/** As `BlockList` names it. */
export function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
