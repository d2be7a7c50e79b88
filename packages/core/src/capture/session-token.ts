import { createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";

/** What a session may be called: part of object keys, of addresses, and the user of a proxy credential. */
export const SessionName = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    "a session's name has letters, digits, `.`, `_` and `-`, 128 at most, and begins with none of `.` and `-`",
  );

/**
 * What a client shows beside its session's name, so that none can claim the session of another: an HMAC-SHA256 of the
 * name, 192 bits of it. Made without a running proxy, by whoever may read the home's secret.
 */
export function sessionToken(name: string, secret: Uint8Array): string {
  return createHmac("sha256", secret)
    .update(`session:${name}`)
    .digest()
    .subarray(0, 24)
    .toString("base64url");
}

export function isSessionToken(name: string, token: string, secret: Uint8Array): boolean {
  const expected = Buffer.from(sessionToken(name, secret));
  const given = Buffer.from(token);
  return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
}
