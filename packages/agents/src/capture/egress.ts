import { isIP } from "node:net";
import { decide, type Resolve } from "../sandbox/docker/egress/decide.ts";
import type { HostRules } from "../sandbox/docker/egress/rules.ts";
import type { Dialer, Endpoint } from "./dial.ts";

/** `addresses`: those that the name was checked to mean; to connect to these and no others. */
export type Egress = { addresses?: readonly string[] } | { refused: string };

export interface EgressRules {
  /** Absent: clients of the listener reach any host, sandboxes none. */
  allow?: HostRules;
  /** Hosts that are connected to elsewhere, as the options say. */
  isRouted: (host: string) => boolean;
  dialer: Pick<Dialer, "isProxied">;
  resolve: Resolve;
}

/** Whether a client may reach a host that neither its session nor the options name. */
export async function egress(
  to: Endpoint,
  kind: "http" | "https",
  isSandboxed: boolean,
  { allow, isRouted, dialer, resolve }: EgressRules,
): Promise<Egress> {
  if (allow === undefined) return isSandboxed ? refused(to, "only its model is reached from here") : {};
  if (isRouted(to.host)) return hasListed(allow, to.host) ? {} : refused(to, notListed);
  // A proxy on the way looks names up by itself; this machine may not even know them.
  if (dialer.isProxied(to, kind)) return hasListed(allow, to.host) ? {} : refused(to, notListed);
  const decision = await decide(to.host, allow, resolve);
  if ("connect" in decision) return { addresses: decision.connect };
  return refused(to, hasListed(allow, to.host) ? decision.refused : notListed);
}

const notListed = "not on the list of hosts that may be reached";

function refused({ host, port }: Endpoint, reason: string): Egress {
  return { refused: `${host}:${port}: ${reason}.` };
}

/** Whether a list has a host, by its name or its address. */
export function hasListed(rules: HostRules, host: string): boolean {
  return isIP(host) === 0 ? rules.hasName(host.toLowerCase()) : rules.hasAddress(host);
}
