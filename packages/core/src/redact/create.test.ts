import { readFileSync } from "node:fs";
import { lintSource } from "@secretlint/core";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plantedSecrets, plantedText } from "../../../../test/fakes/planted-secrets.ts";
import { createRedactor } from "./create.ts";
import { RedactionPolicy } from "./policy.ts";
import { secretVariables } from "./secret-variables.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const byLine = (text: string, written: (line: string, at: number) => string): string =>
  text.split("\n").map(written).join("\n");
const root = new URL("../../../../", import.meta.url);

describe("secrets by their form", () => {
  const kinds = new Set(plantedSecrets(1).map(({ kind }) => kind));

  test("more than twenty kinds are known", () => {
    expect(kinds.size).toBeGreaterThan(20);
  });

  test.each(plantedSecrets(1).map(({ kind, value, text }) => ({ kind, value, text })))(
    "$kind goes, and is counted under its name",
    ({ kind, value, text }) => {
      const redactor = createRedactor();
      const redacted = redactor.text(`before ${text} after`);
      expect(redacted).not.toContain(value);
      expect(redacted).toContain(`[REDACTED:${kind}]`);
      expect(redacted).toMatch(/^before .* after$/s);
      expect(redactor.counts).toEqual({ [kind]: 1 });
    },
  );

  test("whatever their random part is, and however deep they are in JSON", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 3 }), (seed, depth) => {
        const secrets = plantedSecrets(seed).filter(({ kind }) => kind !== "assigned-secret");
        let text = plantedText(secrets);
        for (let level = 0; level < depth; level += 1)
          text = JSON.stringify({ output: `$ env\n${text}\n$ ` });
        const redacted = createRedactor().text(text);
        const left = secrets.filter(({ value }) => redacted.includes(value));
        expect(left).toEqual([]);
        if (depth > 0) expect(() => JSON.parse(redacted)).not.toThrow();
      }),
    );
  });

  test("of passwords that nothing but a name tells, all but a few in a thousand", () => {
    const byName = Array.from({ length: 1_000 }, (_, seed) =>
      plantedSecrets(seed).filter(({ kind }) => kind === "assigned-secret"),
    ).flat();
    const left = byName.filter(({ text, value }) => createRedactor().text(text).includes(value));
    expect(left.length).toBeLessThan(byName.length * 0.005);
  });

  test.each([
    ["CRLF", (key: string) => key.replaceAll("\n", "\r\n")],
    ["numbers", (key: string) => byLine(key, (line, at) => `     ${at + 1}\u2192${line}`)],
    ["the name of a file", (key: string) => byLine(key, (line) => `id_rsa:${line}`)],
    ["quotes of a program", (key: string) => byLine(key, (line) => `    '${line}\\n' +`)],
    ["quotes of a mail", (key: string) => byLine(key, (line) => `> ${line}`)],
    ["colours", (key: string) => byLine(key, (line) => `\u001b[32m${line}\u001b[0m`)],
    ["line ends shown", (key: string) => byLine(key, (line) => `${line}$`)],
    ["indents of YAML", (key: string) => byLine(key, (line) => `    ${line}`)],
  ])("a private key with %s on its lines", (_, written) => {
    for (const { text, value } of plantedSecrets(3).filter(({ kind }) => kind === "private-key")) {
      const redacted = createRedactor().text(`before\n${written(text)}\nafter`);
      expect(redacted).not.toContain(value);
      expect(redacted).toMatch(/^before\n.*\nafter$/s);
    }
  });

  test("a second time nothing more is found", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const once = createRedactor().text(plantedText(plantedSecrets(seed)));
        expect(createRedactor().text(once)).toBe(once);
      }),
    );
  });

  test("what secretlint's recommended rules find, these find too", async () => {
    const rules = [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: creator }];
    const covered = new Set<string>();
    for (let seed = 1; seed <= 20; seed += 1) {
      const content = plantedText(plantedSecrets(seed));
      const source = { filePath: "/log.txt", content, ext: ".txt", contentType: "text" as const };
      const { messages } = await lintSource({ source, options: { config: { rules } } });
      const ours = createRedactor().find(content);
      for (const { range, ruleId } of messages) {
        covered.add(ruleId);
        const isFound = ours.some(({ start, end }) => start < range[1] && end > range[0]);
        expect(isFound, content.slice(...range)).toBe(true);
      }
    }
    expect(covered.size).toBeGreaterThan(10);
  });
});

describe("what is no secret stays", () => {
  test.each([
    ["a git hash", "commit 9b5ad71b2ce5302211f9c61530b329a4922fc6a4"],
    ["a SHA-256", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["a UUID", '{"request_id": "0f8fad5b-d9cb-469f-a165-70867728950e"}'],
    ["a placeholder", "export OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxx"],
    ["Amazon's example", `${"AK"}IAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY`],
    [
      "an integrity hash",
      '"integrity": "sha512-Ke3IO55IyiBKBmXHqy3x+eeDO8yh5dV9Pk9dGRIOfnQsNTpkgRtLBxXwr1yA3rJWYH4SWA=="',
    ],
    ["an image", `data:image/png;base64,iVBORw0KGgo${"AbCd1234+/".repeat(40)}`],
    ["a variable", "password = process.env.DB_PASSWORD2"],
    ["a call", "const token = createToken(user1, 'x9')"],
    ["a type", "apiKey: string; token?: string | undefined"],
    ["a count", '{"max_tokens": 4096, "completion_tokens": 120, "total_tokens": 900}'],
    ["a tokenizer", "tokenizer: Qwen/Qwen2.5-Coder-7B-Instruct"],
    ["a development database", "postgres://postgres:postgres@localhost:5432/app"],
    ["a shell variable", `postgres://app:${"$"}{DB_PASSWORD}@db/app and https://user:$TOKEN@host/`],
    ["a word with a prefix in it", "the task-management-system-for-everyone-9 disk-usage-of-partition-12"],
    ["the check for a key", 'if (text.includes("-----BEGIN RSA PRIVATE KEY-----")) throw new Error()'],
    ["a password of an example", 'login("admin", password="password123")'],
    ["a page's token", "nextPageToken=CAUQAA9sd7fA0s9d8f7AS0d9f8"],
    ["an address, when nobody asked for it", "mail jane.doe@acme.io, see /home/jane/notes"],
  ])("%s", (_, text) => {
    expect(createRedactor().text(text)).toBe(text);
  });

  test("this repository's own lock file, licences and pages have none", () => {
    for (const name of [
      "package-lock.json",
      "CHANGELOG.md",
      "docs/sandboxes.md",
      "biome.json",
      "infra/settings.ts",
    ]) {
      const text = readFileSync(new URL(name, root), "utf8");
      const found = createRedactor().find(text);
      expect(found.map(({ start, end, kind }) => `${name}: ${kind} ${text.slice(start, end)}`)).toEqual([]);
    }
  });

  test("a text without secrets is the same string, a value the same value", () => {
    const value = { a: ["text", 1, null, { b: true }] };
    expect(createRedactor().json(value)).toBe(value);
  });
});

describe("known secrets", () => {
  const secret = 'pa"ss/wörd+1\\x';
  const forms: [string, string][] = [
    ["as it is", secret],
    ["in JSON", JSON.stringify({ a: secret })],
    ["in JSON in JSON", JSON.stringify(JSON.stringify({ a: secret }))],
    ["in a URL", `https://x.io/?k=${encodeURIComponent(secret)}`],
    ["in a form", new URLSearchParams({ k: secret }).toString()],
    ...["", "u", "us", "user:"].map((before): [string, string] => [
      `in base64 behind ${before.length} bytes`,
      Buffer.from(`${before}${secret}`).toString("base64"),
    ]),
    ["in base64url", Buffer.from(`a:${secret}`).toString("base64url")],
    ["as UTF-8 read byte by byte", Buffer.from(secret).toString("latin1")],
  ];

  test.each(forms)("%s", (_, text) => {
    const redactor = createRedactor(undefined, [{ value: secret, kind: "login" }]);
    expect(redactor.text(text)).toContain("[REDACTED:login]");
    expect(redactor.counts).toEqual({ login: 1 });
  });

  test("one that becomes known later goes from then on", () => {
    const redactor = createRedactor();
    expect(redactor.text("quietly-known")).toBe("quietly-known");
    redactor.addSecret("quietly-known", "late");
    expect(redactor.text("x quietly-known x")).toBe("x [REDACTED:late] x");
  });

  test("any value goes from any text around it", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6 }), fc.string(), fc.string(), (value, before, after) => {
        fc.pre(value.trim().length >= 6 && !"[REDACTED:known]".includes(value.trim()));
        const redactor = createRedactor(undefined, [{ value, kind: "known" }]);
        expect(redactor.text(before + value + after)).not.toContain(value);
      }),
    );
  });

  test("a value of a few characters is not looked for", () => {
    const redactor = createRedactor(undefined, [{ value: "true", kind: "flag" }]);
    expect(redactor.text("true, untrue")).toBe("true, untrue");
  });
});

describe("policy", () => {
  const withPolicy = (policy: Partial<RedactionPolicy>) => createRedactor(RedactionPolicy.parse(policy));

  test("addresses and names in home folders go when asked for", () => {
    const redactor = withPolicy({ personal: ["email", "home"] });
    expect(redactor.text("jane.doe@acme.io wrote /home/jane/a, /Users/jane and C:\\Users\\jane\\b")).toBe(
      "[REDACTED:email] wrote /home/[REDACTED:home]/a, /Users/[REDACTED:home] and C:\\Users\\[REDACTED:home]\\b",
    );
    expect(redactor.text(JSON.stringify("C:\\Users\\jane\\b\nme@acme.io"))).toBe(
      '"C:\\\\Users\\\\[REDACTED:home]\\\\b\\n[REDACTED:email]"',
    );
  });

  test("nobody's addresses and homes stay", () => {
    const text =
      "git@github.com noreply@acme.io you@example.com logo@2x.png /home/node/app /Users/runner x.io/home/a";
    expect(withPolicy({ personal: ["email", "home"] }).text(text)).toBe(text);
  });

  test("a kind can be kept", () => {
    const [secret] = plantedSecrets(1).filter(({ kind }) => kind === "github-token");
    expect(withPolicy({ keep: ["github-token"] }).text(secret?.text ?? "")).toBe(secret?.text);
  });

  test("further patterns go under their own names", () => {
    const redactor = withPolicy({ patterns: { ticket: "TICKET-\\d+" } });
    expect(redactor.text("see TICKET-12, TICKET-13")).toBe("see [REDACTED:ticket], [REDACTED:ticket]");
    expect(redactor.counts).toEqual({ ticket: 2 });
  });

  test("a pattern that is none is refused by its name", () => {
    expect(() => withPolicy({ patterns: { ticket: "(" } })).toThrow(
      /`redact.patterns.ticket` is no regular expression/,
    );
  });
});

describe("time", () => {
  const hostile: [string, string][] = [
    ...[
      "sk-",
      "eyJ",
      "eyJaaaaaaaa.",
      "://a:",
      "password=",
      "token token=",
      "Cookie: a=",
      "a@",
      "a.",
      "@a.a.a.a.",
      "--secret ",
    ].map((piece): [string, string] => [piece, piece]),
    ["armour without end", "-----BEGIN RSA PRIVATE KEY-----\n"],
    ["armour and dashes", "-----BEGIN PRIVATE KEY-----aaaa-a-a-a-"],
    ["key ids", `${"AK"}IAABCDEFGHIJKLMNOP,a`],
    ["authorization", "authorization: a "],
    ["decorated armour", "-----BEGIN PRIVATE KEY-----$aaaa"],
    ["a prefix with a long body", "ya29.a."],
  ];

  test.each(hostile)("grows no faster than the text: %s", (_, piece) => {
    const redactor = createRedactor(RedactionPolicy.parse({ personal: ["email", "home"] }));
    // Ten times the text may take ten times as long; with a square it would be a hundred, and minutes here.
    const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
    expect(redactor.text(text).length).toBeGreaterThan(0);
  });
});

test("passwords of development databases are words that stay", () => {
  const redactor = createRedactor(undefined, secretVariables({ DB_PASSWORD: "postgres", TOKEN: "{model}" }));
  expect(redactor.text("docker run postgres")).toBe("docker run postgres");
});

test("variables whose names say so are secrets, whatever their values look like", () => {
  const environment = {
    DB_PASSWORD: "correct horse",
    SERVICE_TOKEN: "swordfish",
    MODE: "production",
    MAX_TOKENS: "400000",
  };
  const redactor = createRedactor(undefined, secretVariables(environment));
  expect(redactor.text("correct horse, swordfish, production, 400000")).toBe(
    "[REDACTED:db-password], [REDACTED:service-token], production, 400000",
  );
});
