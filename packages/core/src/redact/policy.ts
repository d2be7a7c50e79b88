import * as z from "zod";

/** What is taken out before anything is written. */
export const RedactionPolicy = z.strictObject({
  /** Personal data besides secrets, which always go: `email` addresses, and the user's name in `home` paths. */
  personal: z.array(z.enum(["email", "home"])).default([]),
  /** Files that an agent leaves behind: `redact` as everything else, `keep` as they are. */
  workspace: z.enum(["redact", "keep"]).default("redact"),
  /** Kinds that are kept, by name as the report shows them. */
  keep: z.array(z.string().min(1)).default([]),
  /** Further patterns by kind: regular expressions (JavaScript's, with the flag `u`); what they match goes. */
  patterns: z.record(z.string().regex(/^[a-z][a-z0-9-]*$/), z.string().min(1)).default({}),
});
export type RedactionPolicy = z.infer<typeof RedactionPolicy>;

export const defaultRedaction: RedactionPolicy = RedactionPolicy.parse({});
