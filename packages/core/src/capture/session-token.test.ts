import fc from "fast-check";
import { expect, test } from "vitest";
import { isSessionToken, SessionName, sessionToken } from "./session-token.ts";

const secret = Buffer.alloc(32, 7);

test("a token opens its own session, and no other", () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
  fc.assert(
    fc.property(name, name, (mine, other) => {
      const token = sessionToken(mine, secret);
      expect(isSessionToken(mine, token, secret)).toBe(true);
      expect(isSessionToken(other, token, secret)).toBe(other === mine);
    }),
  );
});

test.each(["", "x", "ä".repeat(32), "0".repeat(32), "0".repeat(33)])("%j is no token", (token) => {
  expect(isSessionToken("one", token, secret)).toBe(false);
});

test("another home's token is none", () => {
  expect(isSessionToken("one", sessionToken("one", Buffer.alloc(32, 8)), secret)).toBe(false);
});

test("the names that RUN_ID has had are names of sessions, and tokens need no quoting", () => {
  expect(SessionName.parse("20260101__12-00-00")).toBe("20260101__12-00-00");
  expect(sessionToken("20260101__12-00-00", secret)).toMatch(/^[A-Za-z0-9_-]{32}$/);
});
