import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonlLine, rowLine } from "./json-row.ts";

test("half surrogate pairs become U+FFFD, and nothing else changes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(JSON.parse(rowLine({ text, deep: [{ text }] }))).toEqual({
        text: text.toWellFormed(),
        deep: [{ text: text.toWellFormed() }],
      });
    }),
  );
  expect(JSON.parse(rowLine({ text: "a\ud800b \\ud800" }))).toEqual({ text: "a\ufffdb \\ud800" });
});

test("JSONL has tools as JSON, and messages without empty keys", () => {
  const message = { role: "user", content: "hi", tool_calls: null, name: null };
  const line = rowLine({ messages: [message], tools: '[{"type":"function","x":null}]', reward: null });
  expect(jsonlLine(["tools"], line)).toBe(
    '{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","x":null}],"reward":null}\n',
  );
});

test("JSONL leaves tools out where there are none", () => {
  expect(jsonlLine(["tools"], rowLine({ messages: [], tools: null }))).toBe('{"messages":[]}\n');
});
