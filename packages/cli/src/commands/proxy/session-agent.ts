import type { HttpExchange } from "@tracemill/core/capture/http-exchange.ts";

/** Names that products give themselves in `User-Agent`, by what records call them. */
const products: Readonly<Record<string, string>> = {
  codex_cli_rs: "codex",
  codex_exec: "codex",
  "codex-tui": "codex",
  "claude-cli": "claude-code",
};

/** The program that spoke, as its requests name it; `unknown` when they do not. */
export function agentOf({ request }: Pick<HttpExchange, "request">): { name: string; version: string } {
  const header = request.headers["user-agent"];
  const text = Array.isArray(header) ? (header[0] ?? "") : (header ?? "");
  const [, product, version = "unknown"] = /^([\w.-]+)(?:\/(\d[\w.+-]*))?/.exec(text) ?? [];
  if (product === undefined) return { name: "unknown", version };
  return { name: products[product] ?? product, version };
}
