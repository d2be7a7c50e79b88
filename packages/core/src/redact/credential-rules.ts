import { looksChosenAtRandom, looksRandom } from "./randomness.ts";
import { type SecretRule, tokenStart } from "./secret-rule.ts";

const keyMaterial = /[A-Za-z0-9+/=]{40}/;

const armourBegin = "-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----";
const armourEnd = "-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----";

/**
 * RFC 7468 and its forerunners: the armour of private keys, whole or cut off, with real line ends or with those of JSON
 * (any number of times over). Armour without a key inside, as programs have it, stays.
 */
const armour = new RegExp(
  String.raw`${armourBegin}(?:\\+[nrt]|[A-Za-z0-9+/=\s:,.>#|\u2192]|-(?!----)){40,65536}(?:${armourEnd})?`,
  "y",
);

function isPrivateKey(value: string): boolean {
  const lines = value.split(/\\+[nrt]|[\s]/).filter((line) => line !== "");
  return lines.some((line) => keyMaterial.test(line) && looksRandom(line)) || isSpreadKey(lines);
}

/**
 * A whole armour whose lines have something before or behind them: numbers and file names of `cat -n` and `grep`,
 * quotes of source code and mails, colours, `$` of `cat -A`.
 */
const decoratedArmour = new RegExp(`${armourBegin}(?:[^-]|-(?!----)){40,65536}${armourEnd}`, "y");

/** Mostly key material, so that code which only speaks of such armour stays. */
function isDecoratedKey(value: string): boolean {
  const inside = value.slice(value.indexOf("KEY"), value.lastIndexOf("-----END"));
  const material =
    inside
      .match(/[A-Za-z0-9+/=]{16,}/g)
      ?.filter(looksRandom)
      .join("") ?? "";
  return material.length >= 64 && material.length >= inside.length / 2;
}

/** Key material in short lines. */
function isSpreadKey(lines: readonly string[]): boolean {
  const material = lines.filter((line) => /^[A-Za-z0-9+/=]{8,}$/.test(line)).join("");
  return material.length >= 64 && looksRandom(material);
}

/** Passwords that examples and development databases have. */
const wellKnownPassword =
  /^(?:pass(?:word|wd)?|secret|postgres|mysql|root|admin|user|test|guest|example|changeme|default|redis|mongo|token|xxx+|\*+|\.+)\d{0,4}$/i;
/** The name of a variable that stands where its value would. */
const variable = /^[A-Z][A-Z_]*$/;

/** Whether a value that stands where a password would is one: no placeholder, no variable, no password of an example. */
export function isPassword(value: string): boolean {
  return (
    !wellKnownPassword.test(value) &&
    !variable.test(value) &&
    !/^[[<{$%(]/.test(value) &&
    !/\[REDACTED/.test(value)
  );
}

/** `user:password` in base64, of printable characters: what HTTP Basic and registries have. */
function isBasic(value: string): boolean {
  const [user = "", password = ""] = Buffer.from(value, "base64").toString("latin1").split(/:(.*)/s);
  return /^[\x20-\x7e]+$/.test(`${user}${password}`) && password.length >= 3 && user.length < 200;
}

const databases =
  "postgres(?:ql)?|mysqlx?|mariadb|mongodb(?:\\+srv)?|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|snowflake|neo4j(?:\\+s)?|bolt";
const userinfo = String.raw`:\\?\/\\?\/[^\s:/@"'<>\\]{0,200}:(?<value>[^\s/@"'<>\\]{3,256})(?=@[A-Za-z0-9[])`;

/** The names that say of what follows that it is a secret. */
const secretNames = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "api_key",
  "api-key",
  "apikey",
  "access_key",
  "access-key",
  "accesskey",
  "auth_key",
  "auth-key",
  "authkey",
  "private_key",
  "privatekey",
  "encryption_key",
  "signing_key",
  "credential",
];
const secretName = secretNames.map((name) => RegExp.escape(name)).join("|");
const nameTail = "(?:[_-]?(?:access|key|base|value|string|s)){0,2}\\d{0,2}";
/** Also of a prefix without secrets: places in lists, and counts. */
const noSecretName =
  /(?:page|next|prev|cursor|idempotency|continu\w*|sync|max|min|num|count|pad|eos|bos|unk|stop)[_-]?token|tokeni[sz]e|public/i;

/**
 * Secrets that are told by their own form or by what stands beside them, whoever issued them. Sources: RFC 7519 (JWT),
 * RFC 7617 and 6750 (`Authorization`), RFC 6265 (cookies), RFC 3986 3.2.1 (userinfo).
 */
export const credentialRules: readonly SecretRule[] = [
  { kind: "private-key", anchors: ["-----BEGIN "], pattern: armour, accepts: isPrivateKey },
  { kind: "private-key", anchors: ["-----BEGIN "], pattern: decoratedArmour, accepts: isDecoratedKey },
  {
    kind: "jwt",
    anchors: ["eyJ"],
    pattern: new RegExp(
      `${tokenStart}(?<![_-])eyJ[A-Za-z0-9_-]{8,4096}\\.[A-Za-z0-9_-]{0,8192}(?:\\.[A-Za-z0-9_-]{0,8192}){1,3}`,
      "y",
    ),
    accepts: isJwt,
  },
  {
    kind: "authorization",
    anchors: ["bearer"],
    foldCase: true,
    pattern: /bearer(?:\s{1,4}|%20|\+)(?<value>[A-Za-z0-9._~+/=-]{12,4096})/iy,
    accepts: (value) =>
      looksChosenAtRandom(value) || (value.length > 24 && looksRandom(value) && /\d/.test(value)),
    byPlace: true,
  },
  {
    kind: "authorization",
    anchors: ["basic "],
    foldCase: true,
    pattern: /basic\s{1,4}(?<value>[A-Za-z0-9+/]{8,1024}={0,2})/iy,
    accepts: isBasic,
    byPlace: true,
  },
  {
    kind: "authorization",
    anchors: ["authorization"],
    foldCase: true,
    pattern:
      /(?<!::[A-Za-z]{0,40})authorization(?:\\*["'])?\s{0,4}[:=]\s{0,4}(?:\\*["'])?(?:[A-Za-z][A-Za-z0-9-]{1,20}\s{1,4})?(?<value>[A-Za-z0-9._~+/=-]{8,4096})/iy,
    accepts: looksChosenAtRandom,
    byPlace: true,
  },
  {
    kind: "cookie",
    anchors: ["cookie"],
    foldCase: true,
    pattern:
      /cookie(?:\\*["'])?:\s{0,4}(?:\\*["'])?(?<value>[\w.-]{1,128}=[^\s;,"'\\]{0,4096}(?:; ?[\w.-]{1,128}(?:=[^\s;,"'\\]{0,4096})?){0,64})/iy,
    accepts: (value) =>
      value.split(/; ?/).some((pair) => looksRandom(pair.replace(/^[^=]*=/, "").padEnd(8, "x"))),
    byPlace: true,
  },
  {
    kind: "registry-auth",
    anchors: ['"auth', "_auth"],
    pattern: /(?:"auth|_auth)(?:\\*")?\s{0,4}[:=]\s{0,4}(?:\\*")?(?<value>[A-Za-z0-9+/]{12,1024}={0,2})/y,
    accepts: isBasic,
    byPlace: true,
  },
  {
    kind: "database-url",
    anchors: ["://", ":\\/\\/"],
    pattern: new RegExp(`(?<=(?:${databases}))${userinfo}`, "y"),
    accepts: isPassword,
    byPlace: true,
  },
  {
    kind: "url-credentials",
    anchors: ["://", ":\\/\\/"],
    pattern: new RegExp(`(?<=[A-Za-z])${userinfo}`, "y"),
    accepts: isPassword,
    byPlace: true,
  },
  {
    kind: "assigned-secret",
    anchors: secretNames,
    foldCase: true,
    pattern: new RegExp(
      String.raw`(?<!(?:page|next|prev|cursor|continuation|idempotency|sync|max|min|pad|eos|bos|public)[_-]?|::[A-Za-z]{0,40})(?:${secretName})${nameTail}(?:\\*["'])?\]?\s{0,4}(?:=>|:=|[:=])\s{0,4}(?:\\*["'${"`"}])?(?<value>[A-Za-z0-9_~.+/=!@#%^*?-]{8,512})(?![(\w])`,
      "iy",
    ),
    accepts: looksChosenAtRandom,
    byPlace: true,
  },
  {
    kind: "assigned-secret",
    anchors: ["--"],
    pattern: new RegExp(
      String.raw`--(?:[a-z0-9]{1,20}-){0,4}(?:${secretName})\s{1,2}["']?(?<value>[A-Za-z0-9_~.+/=!@#%^*?-]{8,512})(?![(\w])`,
      "iy",
    ),
    accepts: looksChosenAtRandom,
    byPlace: true,
  },
];

function isJwt(value: string): boolean {
  const [header = ""] = value.split(".");
  return /"(?:alg|enc|typ)"/.test(Buffer.from(header, "base64url").toString("latin1"));
}

const wholeName = new RegExp(`(?:${secretName})${nameTail}$`, "i");

/** Whether a field of this name, with this value, holds a secret. */
export function isSecretField(name: string, value: string): boolean {
  return isSecretName(name) && !/\s/.test(value) && value.length <= 4096 && looksChosenAtRandom(value);
}

/** Whether a variable or field of this name holds a secret, whatever its value looks like: `DB_PASSWORD`, `apiKey`. */
export function isSecretName(name: string): boolean {
  return name.length <= 100 && wholeName.test(name) && !noSecretName.test(name);
}
