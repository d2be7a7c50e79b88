import fc from "fast-check";
import { expect, test } from "vitest";
import { eventsOfText, textOfEvents } from "./event-text.ts";

test("the text reads as the provider sent it", () => {
  expect(textOfEvents([{ type: "message_stop" }])).toBe(
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  );
  expect(textOfEvents([{ choices: [] }, "[DONE]"])).toBe('data: {"choices":[]}\n\ndata: [DONE]\n\n');
});

test("any events come back from their text", () => {
  const event = fc.oneof(
    fc.jsonValue({ stringUnit: "binary" }),
    fc.string({ unit: "binary" }),
    fc.constantFrom("[DONE]", "", "1", '"quoted"', " two\nlines", "a\rb", "\ud800", "null", "\ufeffx"),
    fc.record({ type: fc.string(), delta: fc.string() }),
  );
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const asJson = JSON.parse(JSON.stringify(events));
      expect(eventsOfText(textOfEvents(events))).toEqual(asJson);
    }),
  );
});
