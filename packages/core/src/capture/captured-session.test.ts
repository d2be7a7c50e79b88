import fc from "fast-check";
import { expect, test } from "vitest";
import { capturedExchange } from "../../../../test/fakes/captured.ts";
import { countsSince, joinSessions, sessionOfExchange } from "./captured-session.ts";

test("a session's numbers do not depend on how its exchanges were put together", () => {
  const exchange = fc.record({
    at: fc.integer({ min: 0, max: 50 }),
    model: fc.constantFrom("a", "b"),
    status: fc.constantFrom(200, 429, 500),
    email: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(exchange, { minLength: 2, maxLength: 12 }), fc.nat(), (given, cut) => {
      const parts = given.map(({ at, model, status, email }, index) =>
        sessionOfExchange(
          capturedExchange("one", `x${index}`, at, { model, response: { status, headers: {} } }),
          { email },
        ),
      );
      const join = (some: typeof parts) => some.slice(1).reduce(joinSessions, some[0]);
      const at = 1 + (cut % (parts.length - 1));
      const [left, right] = [join(parts.slice(0, at)), join(parts.slice(at))];
      if (right === undefined) throw new Error("no parts");
      expect(joinSessions(left, right)).toEqual(join(parts));
      expect(join(parts)?.failed).toBe(given.filter(({ status }) => status !== 200).length);
    }),
  );
});

test("counts of a redactor are told once", () => {
  expect(countsSince({}, { email: 2 })).toEqual({ email: 2 });
  expect(countsSince({ email: 2 }, { email: 3, jwt: 1 })).toEqual({ email: 1, jwt: 1 });
  expect(countsSince({ email: 3 }, { email: 3 })).toEqual({});
});
