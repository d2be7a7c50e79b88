const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/;

export type AllowedHost = { host: string } | { problem: string };

/**
 * Checks and normalises an entry of `allowed_hosts` by Harbor's rules: a host name, `*.` before a host name,
 * an IP address, or a CIDR range whose host bits are 0. Lower case, no trailing dot, short IPv6.
 */
export function allowedHost(entry: string): AllowedHost {
  const host = entry.trim().toLowerCase().replace(/\.+$/, "");
  if (host === "") return { problem: "an empty host name" };
  if (host.includes("/")) return cidr(host);
  if (host.includes(":")) {
    const address = shortIpv6(host);
    return address === undefined ? notAHost(entry) : { host: address };
  }
  const name = host.startsWith("*.") ? host.slice(2) : host;
  if (name !== host && isIpv4(name))
    return { problem: `\`${entry}\`: \`*.\` goes before a host name, not an address` };
  if (name.includes("*"))
    return { problem: `\`${entry}\`: a wildcard may only stand as \`*.\` at the start` };
  return name.split(".").every((label) => LABEL.test(label)) ? { host } : notAHost(entry);
}

function notAHost(entry: string): AllowedHost {
  return {
    problem: `\`${entry}\` is not a host name, IP address or CIDR range; leave out scheme, port and path`,
  };
}

function isIpv4(host: string): boolean {
  return IPV4.test(host);
}

/** The address in its short form (RFC 5952), by the URL standard's own host parser. */
function shortIpv6(host: string): string | undefined {
  if (!/^[0-9a-f:.]+$/.test(host) || !URL.canParse(`http://[${host}]/`)) return undefined;
  return new URL(`http://[${host}]/`).hostname.slice(1, -1);
}

function cidr(entry: string): AllowedHost {
  const [address = "", prefix = "", ...rest] = entry.split("/");
  const network = isIpv4(address) ? address : shortIpv6(address);
  if (network === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return notAHost(entry);
  const width = isIpv4(address) ? 32 : 128;
  const hostBits = BigInt(width - Number(prefix));
  if (hostBits < 0n) return notAHost(entry);
  if (addressValue(network) % (1n << hostBits) !== 0n) {
    return { problem: `\`${entry}\` has bits set beyond its prefix of ${prefix}` };
  }
  return { host: `${network}/${Number(prefix)}` };
}

function addressValue(address: string): bigint {
  if (isIpv4(address)) return address.split(".").reduce((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  const [head = "", tail] = address.split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill("0");
  return [...left, ...middle, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}
