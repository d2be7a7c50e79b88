import * as z from "zod";

/** The ways in which programs speak to models: OpenAI's two, Anthropic's, and Amazon Bedrock's. */
export const ModelProtocol = z.enum(["chat-completions", "responses", "messages", "converse"]);
export type ModelProtocol = z.infer<typeof ModelProtocol>;

/** The protocol that a request's path belongs to, whatever stands before it; `undefined` for other requests. */
export function protocolOfPath(path: string): ModelProtocol | undefined {
  const { pathname } = new URL(path, "http://localhost");
  if (pathname.endsWith("/chat/completions")) return "chat-completions";
  if (pathname.endsWith("/responses")) return "responses";
  if (pathname.endsWith("/messages")) return "messages";
  if (/\/model\/[^/]+\/converse(?:-stream)?$/.test(pathname)) return "converse";
  return undefined;
}
