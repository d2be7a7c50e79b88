import { marker, type ScanningRedactor } from "./scanning-redactor.ts";

/** Names of headers whose values are credentials. */
const credential =
  /^(?:proxy-)?authorization$|^(?:set-)?cookie2?$|(?:^|[-_])(?:api[-_]?key|key|token|secret|password|auth|jwt|session(?:[-_]id)?|credentials?|signature|csrf|xsrf)$/;
/** Names that look like those and are none. */
const harmless = /^(?:idempotency-key|sec-websocket-key|surrogate-key|cache-key|etag|x-cache-key)$/;

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Credentials go whole, but for the scheme before them (`Bearer`); other values as any text. */
export function redactHeaders(
  headers: Headers,
  redactor: Pick<ScanningRedactor, "find" | "text" | "count">,
): Record<string, string | string[]> {
  const redacted: Record<string, string | string[]> = {};
  for (const [given, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const name = redactor.text(given.toLowerCase());
    const each = (text: string): string => headerValue(name, text, redactor);
    redacted[name] = typeof value === "string" ? each(value) : value.map(each);
  }
  return redacted;
}

function headerValue(
  name: string,
  value: string,
  redactor: Pick<ScanningRedactor, "find" | "text" | "count">,
): string {
  if (value === "" || !credential.test(name) || harmless.test(name)) return redactor.text(value);
  if (/^(?:\w+ )?\[REDACTED:[a-z0-9-]+\]$/.test(value)) return value;
  const kind = redactor.find(value)[0]?.kind ?? headerKind(name);
  redactor.count(kind);
  const scheme = name.endsWith("authorization") ? /^[A-Za-z][\w-]{0,30} (?=\S)/.exec(value)?.[0] : undefined;
  return `${scheme ?? ""}${marker(kind)}`;
}

function headerKind(name: string): string {
  if (name.includes("cookie")) return "cookie";
  return name.endsWith("authorization") ? "authorization" : "credential-header";
}
