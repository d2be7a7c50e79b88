import type { CliContext } from "./context.ts";

/** Proxies that this machine has to go through, by the usual variables in either case. */
export function usualProxies({ variable }: Pick<CliContext["config"], "variable">): {
  https?: string;
  http?: string;
  none?: string;
} {
  const usual = (name: string): string | undefined => variable(name) ?? variable(name.toLowerCase());
  const [https, http, none] = [usual("HTTPS_PROXY"), usual("HTTP_PROXY"), usual("NO_PROXY")];
  return {
    ...(https === undefined ? {} : { https }),
    ...(http === undefined ? {} : { http }),
    ...(none === undefined ? {} : { none }),
  };
}
