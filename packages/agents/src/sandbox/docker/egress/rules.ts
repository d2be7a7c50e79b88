import { BlockList, isIP } from "node:net";
import { TracemillError } from "@tracemill/core/errors.ts";
import { allowedHost } from "@tracemill/core/harbor/allowed-hosts.ts";
import { familyOf } from "./addresses.ts";

/** What an allow-list lets through. */
export interface HostRules {
  /** Whether a host name is on it: itself, or below one that stands there as `*.name`. */
  hasName(name: string): boolean;
  /** Whether an address is on it: itself, or in a range. */
  hasAddress(address: string): boolean;
}

/**
 * Reads entries as Harbor's `allowed_hosts` writes them: names, `*.name` (what lies below the name, at any depth, and
 * not the name itself), addresses, CIDR ranges.
 * @throws TracemillError `invalid-task` that quotes the entry.
 */
export function hostRules(allow: readonly string[]): HostRules {
  const names = new Set<string>();
  const suffixes: string[] = [];
  const addresses = new BlockList();
  for (const entry of allow) {
    const checked = allowedHost(entry);
    if ("problem" in checked) throw new TracemillError("invalid-task", `allowed_hosts: ${checked.problem}`);
    const { host } = checked;
    const [address = "", prefix] = host.split("/");
    if (prefix !== undefined) addresses.addSubnet(address, Number(prefix), familyOf(address));
    else if (isIP(host) !== 0) addresses.addAddress(host, familyOf(host));
    else if (host.startsWith("*.")) suffixes.push(host.slice(1));
    else names.add(host);
  }
  return {
    hasName: (name) => names.has(name) || suffixes.some((suffix) => name.endsWith(suffix)),
    hasAddress: (address) => addresses.check(address, familyOf(address)),
  };
}
