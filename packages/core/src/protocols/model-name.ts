import { fieldsOf, textIn } from "./fields.ts";
import type { ModelProtocol } from "./protocol.ts";

/** What an answer says its model is, else what was asked for; Bedrock's stands in the path alone. */
export function modelOf(
  protocol: ModelProtocol,
  { path, request, answer }: { path: string; request: unknown; answer?: unknown },
): string | undefined {
  if (protocol === "converse") {
    const name = /\/model\/([^/]+)\/converse/.exec(path)?.[1];
    return name === undefined ? undefined : decoded(name);
  }
  return textIn(fieldsOf(answer).model) || textIn(fieldsOf(request).model) || undefined;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
