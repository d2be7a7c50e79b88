import type { Redactor } from "@tracemill/core/redact/redactor.ts";

/** Query fields that hold a credential: keys of APIs, tokens, signatures of signed addresses. */
const secretField =
  /^(?:key|api[-_]?key|access[-_]?token|id[-_]?token|refresh[-_]?token|auth|authorization|token|sig|signature|secret|client[-_]?secret|password|code|x-(?:amz|goog)-(?:signature|credential|security-token))$/i;

/** A request's address as it is written down: without its user, its fragment, and credentials in its query. */
export function recordedUrl(url: URL, redactor: Pick<Redactor, "text">): string {
  const written = new URL(url);
  written.username = "";
  written.password = "";
  written.hash = "";
  const fields = [...written.searchParams];
  if (fields.some(([name]) => secretField.test(name))) {
    written.search = "";
    for (const [name, value] of fields)
      written.searchParams.append(name, secretField.test(name) ? "[REDACTED:query]" : value);
  }
  return redactor.text(written.href);
}

/** The credentials in an address's query. */
export function secretsIn(url: URL): string[] {
  return [...url.searchParams].flatMap(([name, value]) => (secretField.test(name) ? [value] : []));
}
