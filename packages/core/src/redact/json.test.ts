import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plantedSecrets } from "../../../../test/fakes/planted-secrets.ts";
import { createRedactor } from "./create.ts";
import { RedactionPolicy } from "./policy.ts";

const [key] = plantedSecrets(7).map(({ value }) => value);
const secret = key ?? "";

describe("values", () => {
  test("strings and the names of fields, at any depth; the rest stays the same value", () => {
    const redactor = createRedactor();
    const kept = { deep: [1, true, null, "text"] };
    const value = { list: [{ [secret]: 1 }, `key ${secret}`], kept };
    const redacted = redactor.json(value);
    expect(redacted).toEqual({
      list: [{ "[REDACTED:openai-key]": 1 }, "key [REDACTED:openai-key]"],
      kept,
    });
    expect(redacted.kept).toBe(kept);
    expect(value.list[1]).toContain(secret);
    expect(redactor.counts).toEqual({ "openai-key": 2 });
  });

  test("JSON inside a string stays JSON", () => {
    const redacted = createRedactor().json({
      arguments: JSON.stringify({ command: `export KEY="${secret}"` }),
    });
    expect(JSON.parse(redacted.arguments)).toEqual({ command: 'export KEY="[REDACTED:openai-key]"' });
  });

  test("JSON inside a string stays JSON whatever a policy's own pattern matches", () => {
    const policy = RedactionPolicy.parse({ patterns: { tail: 'last".*' } });
    const redacted = createRedactor(policy).json({ arguments: '{"at": "last", "then": [1, 2]}' });
    expect(() => JSON.parse(redacted.arguments)).not.toThrow();
  });

  test("a field's name tells a secret that has no form, and so does a pair of name and value", () => {
    const value = "q8Zr2LmV9xTw4KpB";
    const redacted = createRedactor().json({
      clientSecret: value,
      headers: [{ name: "X-Api-Key", value }],
      id: value,
      next_page_token: value,
    });
    expect(redacted).toEqual({
      clientSecret: "[REDACTED:assigned-secret]",
      headers: [{ name: "X-Api-Key", value: "[REDACTED:assigned-secret]" }],
      id: value,
      next_page_token: value,
    });
  });

  test("token ids and bytes, which spell a text out, go with what was taken out of it", () => {
    const answer = (text: string) => ({
      choices: [{ message: { content: text }, token_ids: [1, 2] }],
      prompt_token_ids: [3],
      usage: { total_tokens: 3 },
    });
    expect(createRedactor().json(answer(secret))).toEqual({
      choices: [{ message: { content: "[REDACTED:openai-key]" } }],
      usage: { total_tokens: 3 },
    });
    expect(createRedactor().json(answer("nothing"))).toEqual(answer("nothing"));
  });

  test("what is nested deeper than any document is taken out whole", () => {
    const depth = 100_000;
    const value: unknown = JSON.parse(`${"[".repeat(depth)}"${secret}"${"]".repeat(depth)}`);
    const redactor = createRedactor();
    redactor.json(value);
    expect(redactor.counts).toEqual({ "too-deep": 1 });
  });

  test("dates and bytes pass as they are", () => {
    const value = { at: new Date(0), data: new Uint8Array([1]), nothing: undefined };
    expect(createRedactor().json(value)).toBe(value);
  });

  test("the same as JSON, whatever the value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(createRedactor().json(value)).toEqual(value);
      }),
    );
  });
});

describe("streams", () => {
  test("a secret that lies over the events of a stream goes, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: secret.length }), { minLength: 1, maxLength: 12 }), (cuts) => {
        const whole = `The key is ${secret}, done`;
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const pieces = at.slice(1).map((end, index) => whole.slice(at[index], end));
        const events = pieces.flatMap((delta) => [
          { type: "response.output_text.delta", output_index: 0, delta },
          { type: "response.output_text.delta", output_index: 1, delta: "other " },
        ]);
        const { _events } = createRedactor().json({ _events: events });
        const text = _events.filter(({ output_index }) => output_index === 0).map(({ delta }) => delta);
        expect(text.join("")).toBe("The key is [REDACTED:openai-key], done");
        expect(_events.filter(({ output_index }) => output_index === 1).map(({ delta }) => delta)).toEqual(
          pieces.map(() => "other "),
        );
        expect(_events).toHaveLength(events.length);
      }),
    );
  });

  test("each of several in one stream", () => {
    const text = `a ${secret} b ${secret} c`;
    const events = Array.from(text, (delta) => ({ choices: [{ index: 0, delta: { content: delta } }] }));
    const redactor = createRedactor();
    const { _events } = redactor.json({ _events: events });
    expect(_events.map(({ choices }) => choices[0]?.delta.content).join("")).toBe(
      "a [REDACTED:openai-key] b [REDACTED:openai-key] c",
    );
    expect(redactor.counts).toEqual({ "openai-key": 2 });
  });

  test("log probabilities do not spell it out either", () => {
    const content = Array.from(secret, (token) => ({
      token,
      logprob: -0.1,
      bytes: [...Buffer.from(token)],
      top_logprobs: [{ token, logprob: -0.1 }],
    }));
    const redacted = createRedactor().json({ logprobs: { content } });
    expect(redacted.logprobs.content.map(({ token }) => token).join("")).toBe("[REDACTED:openai-key]");
    expect(JSON.stringify(redacted)).not.toContain("bytes");
    expect(JSON.stringify(redacted)).not.toContain("top_logprobs");
  });
});

describe("headers", () => {
  test("credentials and cookies go, with their scheme left; names are in lower case", () => {
    const redactor = createRedactor();
    const redacted = redactor.headers({
      Authorization: `Bearer ${secret}`,
      "Proxy-Authorization": "Basic dXNlcjpwYXNz",
      "X-Api-Key": "short",
      Cookie: "a=b",
      "Set-Cookie": ["a=b; Path=/", "c=d"],
      "X-Amz-Security-Token": "abc",
      "Content-Type": "application/json",
      "X-RateLimit-Remaining-Tokens": "99",
      "Idempotency-Key": "run-1",
      Absent: undefined,
    });
    expect(redacted).toEqual({
      authorization: "Bearer [REDACTED:openai-key]",
      "proxy-authorization": "Basic [REDACTED:authorization]",
      "x-api-key": "[REDACTED:credential-header]",
      cookie: "[REDACTED:cookie]",
      "set-cookie": ["[REDACTED:cookie]", "[REDACTED:cookie]"],
      "x-amz-security-token": "[REDACTED:credential-header]",
      "content-type": "application/json",
      "x-ratelimit-remaining-tokens": "99",
      "idempotency-key": "run-1",
    });
    expect(redactor.counts).toEqual({
      "openai-key": 1,
      authorization: 1,
      cookie: 3,
      "credential-header": 2,
    });
  });

  test("a second time nothing changes", () => {
    const once = createRedactor().headers({ authorization: `Bearer ${secret}`, cookie: "a=b" });
    const again = createRedactor();
    expect(again.headers(once)).toEqual(once);
    expect(again.counts).toEqual({});
  });
});

test("JSON with anything in it is JSON without secrets", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...plantedSecrets(3)), (value, { value: found, text }) => {
      const line = JSON.stringify({ value, text });
      const redacted = JSON.stringify(createRedactor().json(JSON.parse(line)));
      expect(redacted).not.toContain(found);
      expect(() => JSON.parse(redacted)).not.toThrow();
    }),
  );
});
