import { messageOf, TracemillError } from "../errors.ts";
import { sha256Hex } from "../ids.ts";
import { cloudRules } from "./cloud-rules.ts";
import { credentialRules } from "./credential-rules.ts";
import { redactHeaders } from "./headers.ts";
import { redactJson } from "./json.ts";
import { KnownSecrets } from "./known-secrets.ts";
import { personalRules } from "./personal-rules.ts";
import { defaultRedaction, type RedactionPolicy } from "./policy.ts";
import { providerRules } from "./provider-rules.ts";
import { createScanner, type RankedPattern, type Scanner } from "./scanner.ts";
import { type ScanningRedactor, withMarks } from "./scanning-redactor.ts";
import type { SecretRule } from "./secret-rule.ts";

/** A value that the program itself holds, such as the key of a model's provider. */
export interface KnownSecret {
  value: string;
  /** As reports name it: `openai-key`, or the name of a variable in kebab case. */
  kind: string;
}

/** All kinds of secret by their rules, in the order in which they are tried. */
export const secretRules: readonly SecretRule[] = [...providerRules, ...cloudRules, ...credentialRules];

/** Changes with the rules: part of the version of what is made with them. */
export const ruleSetId = sha256Hex(
  JSON.stringify(secretRules.map(({ kind, anchors, pattern }) => [kind, anchors, pattern.source])),
).slice(0, 16);

/**
 * @param secrets values that go wherever they stand, in every form that programs write them in (JSON, URL, base64).
 * Values below six characters are not looked for.
 * @throws TracemillError `invalid-spec` when a pattern of the policy is no regular expression, or matches nothing at all.
 */
export function createRedactor(
  policy: RedactionPolicy = defaultRedaction,
  secrets: Iterable<KnownSecret> = [],
): ScanningRedactor {
  const known = new KnownSecrets();
  for (const { value, kind } of secrets) known.add(value, kind);
  const rules = rulesOf(policy);
  const custom = customPatterns(policy);
  const counts: Record<string, number> = {};
  let scanners = scannersOf(rules, [...known.patterns(), ...custom]);
  const redactor: ScanningRedactor = {
    counts,
    find: (text, binary = false) => (binary ? scanners.binary(text) : scanners.text(text)),
    count(kind) {
      counts[kind] = (counts[kind] ?? 0) + 1;
    },
    text: (value) => withMarks(value, redactor),
    json: (value) => redactJson(value, redactor),
    headers: (headers) => redactHeaders(headers, redactor),
    addSecret(value, kind) {
      if (known.add(value, kind)) scanners = scannersOf(rules, [...known.patterns(), ...custom]);
    },
  };
  return redactor;
}

/** What is looked for in texts, and in bytes. */
interface RuleSet {
  text: readonly SecretRule[];
  binary: readonly SecretRule[];
}

/** One set a policy: scanners are made once for each list of rules. */
const ruleSets = new Map<string, RuleSet>();

function rulesOf({ personal, keep }: RedactionPolicy): RuleSet {
  const id = JSON.stringify([personal, keep]);
  const all = [...secretRules, ...personal.flatMap((part) => personalRules[part])];
  const text = all.filter(({ kind }) => !keep.includes(kind));
  const rules = ruleSets.get(id) ?? { text, binary: text.filter(({ byPlace }) => byPlace !== true) };
  ruleSets.set(id, rules);
  return rules;
}

interface Scanners {
  text: Scanner;
  binary: Scanner;
}

function scannersOf({ text, binary }: RuleSet, patterns: readonly RankedPattern[]): Scanners {
  return { text: createScanner(text, patterns), binary: createScanner(binary, patterns) };
}

function customPatterns({ patterns, keep }: RedactionPolicy): RankedPattern[] {
  return Object.entries(patterns)
    .filter(([kind]) => !keep.includes(kind))
    .map(([kind, source]) => ({ kind, pattern: compiled(kind, source), rank: 1 }));
}

function compiled(kind: string, source: string): RegExp {
  try {
    return new RegExp(source, "gu");
  } catch (error) {
    throw new TracemillError(
      "invalid-spec",
      `\`redact.patterns.${kind}\` is no regular expression (${messageOf(error)}); mend it or leave it out`,
      { cause: error },
    );
  }
}
