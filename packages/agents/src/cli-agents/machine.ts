import { join } from "node:path";
import { providerNames, providerOf } from "@tracemill/core/models/providers.ts";
import type { CaptureProxyOptions } from "../capture/proxy.ts";
import type { CliAgentDeps } from "./agents.ts";

export interface MachineOptions {
  /** Where installed programs are kept, and the authority by which programs in sandboxes are captured. */
  dir: string;
  /** Proxies that this machine has to go through to reach models. */
  proxies?: CaptureProxyOptions["proxies"];
  /** Gets a line when programs are fetched. */
  note?: (line: string) => void;
}

/** What agents for the command line need of the machine that runs them. Nothing is loaded or made before one is run. */
export function programsOf({ dir, proxies, note }: MachineOptions): CliAgentDeps {
  let capture: ReturnType<CliAgentDeps["capture"]> | undefined;
  return {
    installLayer: async (recipe, signal) => {
      const { npmLayers } = await import("./install-layer.ts");
      return npmLayers(dir, undefined, note)(recipe, signal);
    },
    capture: () => (capture ??= openCapture(join(dir, "authority"), proxies)),
  };
}

/** One proxy for all attempts of the process: it serves their sandboxes' doors and listens nowhere. */
async function openCapture(
  authorityDir: string,
  proxies: MachineOptions["proxies"],
): ReturnType<CliAgentDeps["capture"]> {
  const { openAuthority } = await import("../capture/certificate-authority.ts");
  const { openCaptureProxy } = await import("../capture/proxy.ts");
  const authority = await openAuthority(authorityDir);
  const proxy = await openCaptureProxy({
    authority,
    intercept: providerHosts(),
    ...(proxies === undefined ? {} : { proxies }),
  });
  return { proxy, certificate: authority.certificate };
}

/** Hosts of the providers that are known: programs insist on theirs. */
function providerHosts(): string[] {
  const urls = providerNames({}).flatMap((name) => providerOf(name, {}).url ?? []);
  return urls
    .map((url) => new URL(url))
    .flatMap(({ protocol, hostname }) => (protocol === "https:" ? [hostname] : []));
}
