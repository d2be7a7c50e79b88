import type { Server } from "node:net";
import { TracemillError } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { mostConnections } from "../../doors.ts";
import { listenInside } from "../../listen-inside.ts";
import { networkOf, ownEngineMissing, pidOf } from "../way-in.ts";
import type { Resolve } from "./decide.ts";
import { filteringProxy } from "./proxy.ts";
import { hostRules } from "./rules.ts";

/** Where the sandbox finds the proxy, on its own loopback. Squid's port, as many proxies have it. */
const proxyPort = 3128;

/** The way out of one sandbox that has an allow-list. */
export interface Egress {
  /**
   * The network mode of its container. It has a loopback and nothing else, so that there is no host, no router and no
   * DNS to reach past the proxy.
   */
  network: "none";
  /** Variables for every command in it: programs find the proxy by them. */
  env: Readonly<Record<string, string>>;
  /**
   * Puts the proxy on the loopback of a running container; before that nothing is reached.
   * @throws TracemillError `unsupported` when the engine's containers are not processes of this machine,
   * `sandbox-failed`.
   */
  attach(containerId: string): Promise<void>;
  /** Hosts and ports that were refused, each once, with the reason. */
  refused(): readonly string[];
  /** Ends the proxy and its connections. Safe to call twice. */
  close(): void;
}

export interface EgressOptions {
  docker: Docker;
  /** Entries as in Harbor's `allowed_hosts`. */
  allow: readonly string[];
  /** Default: as this machine looks names up. */
  resolve?: Resolve;
}

/**
 * Opens the way out of a sandbox with an allow-list: a filtering HTTP proxy in this process, which listens inside the
 * container's network namespace.
 * @throws TracemillError `unsupported` where this process cannot enter it, `invalid-task` for an entry that is no host.
 */
export function openEgress({ docker, allow, resolve }: EgressOptions): Egress {
  const proxy = filteringProxy(hostRules(allow), resolve);
  requireOwnEngine(docker);
  const listening: Server[] = [];
  return {
    network: "none",
    env: proxyEnv(),
    attach: async (containerId) => {
      const server = await listenInside([networkOf(await ownPid(docker, containerId))], proxyPort);
      server.maxConnections = mostConnections;
      server.on("connection", proxy.serve);
      listening.push(server);
    },
    refused: proxy.refused,
    close: () => {
      for (const server of listening.splice(0)) server.close();
      proxy.close();
    },
  };
}

/** Curl reads the lower-case form of `http_proxy` only, others the upper-case one only. */
function proxyEnv(): Record<string, string> {
  const proxy = `http://127.0.0.1:${proxyPort}`;
  const values = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: "localhost,127.0.0.1,::1" };
  const lower = Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]);
  // Node's own fetch and http heed the variables from version 24 on, if this one says so.
  return { ...values, ...Object.fromEntries(lower), NODE_USE_ENV_PROXY: "1" };
}

function requireOwnEngine(docker: Docker): void {
  const why = ownEngineMissing(docker);
  if (why === undefined) return;
  throw new TracemillError(
    "unsupported",
    `a network allow-list needs Linux, root, and a Docker engine on this machine: ${why}; give the task network_mode "public" or "no-network", or run there`,
  );
}

async function ownPid(docker: Docker, containerId: string): Promise<number> {
  const pid = await pidOf(docker, containerId);
  if (pid !== undefined) return pid;
  throw new TracemillError(
    "unsupported",
    "a network allow-list needs the Docker engine's containers to be processes of this machine, and they are not (Docker Desktop, or Tracemill inside a container); run it beside the engine",
  );
}
