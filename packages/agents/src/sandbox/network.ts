import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxNetwork } from "@tracemill/core/ports/sandbox.ts";

/** For sandboxes that have all of the network or none. @throws TracemillError `unsupported` for an allow-list. */
export function allOrNone(network: SandboxNetwork): "none" | "host" {
  if (typeof network === "string") return network;
  throw new TracemillError("unsupported", "a network allow-list wants `sandbox: docker`");
}
