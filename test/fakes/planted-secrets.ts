import { seededRandom } from "./seeded-random.ts";

/** A secret that a test puts where something could leak. */
export interface PlantedSecret {
  kind: string;
  /** What must stand nowhere afterwards. For a private key: a line of its material. */
  value: string;
  /** As a program would write it, with the value in it. */
  text: string;
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const lower = upper.toLowerCase();
const digits = "0123456789";
const word = upper + lower + digits;
const base64 = `${word}+/`;
const hex = `${digits}abcdef`;

/**
 * Secrets of many kinds, made up anew from a seed: none stands in the repository, and none was ever valid. Their prefixes
 * are put together here, so that no scanner takes this file for a leak.
 */
export function plantedSecrets(seed: number): PlantedSecret[] {
  const random = seededRandom(seed);
  /** Characters of an alphabet, a digit and both cases among them where it has them. */
  const drawn = (length: number, alphabet = word): string => {
    for (;;) {
      const text = Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
      const isMixed = [/\d/, /[A-Z]/, /[a-z]/].every((each) => each.test(text) || !each.test(alphabet));
      if (isMixed) return text;
    }
  };
  const of = (kind: string, value: string, text = value): PlantedSecret => ({ kind, value, text });
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  const join = (...parts: string[]): string => parts.join("");

  const awsSecret = drawn(40, base64);
  const awsId = join("AK", "IA", drawn(16, `${upper}234567`));
  const material = Array.from({ length: 6 }, () => drawn(64, base64));
  const password = drawn(18);
  const basic = Buffer.from(`deploy:${drawn(14)}`).toString("base64");
  const cookie = drawn(32);
  const databasePassword = drawn(16);
  const urlPassword = drawn(16);
  const azure = `${drawn(86, base64)}==`;
  const bearer = drawn(40);
  const apiKey = drawn(32, hex);

  return [
    of("openai-key", join("sk-", "proj-", drawn(74), "_", drawn(40))),
    of("anthropic-key", join("sk-", "ant-", "api03-", drawn(93), "AA")),
    of("openrouter-key", join("sk-", "or-v1-", drawn(64, hex))),
    of("google-key", join("AI", "za", drawn(35))),
    of("huggingface-token", join("h", "f_", drawn(34, upper + lower))),
    of("groq-key", join("gs", "k_", drawn(52))),
    of("xai-key", join("xa", "i-", drawn(80))),
    of("github-token", join("gh", "p_", drawn(36))),
    of("github-token", join("github", "_pat_", drawn(22), "_", drawn(59))),
    of("gitlab-token", join("gl", "pat-", drawn(20))),
    of("slack-token", join("xo", "xb-", drawn(12, digits), "-", drawn(12, digits), "-", drawn(24))),
    of(
      "slack-webhook",
      join("T", drawn(8, upper + digits), "/B", drawn(8, upper + digits), "/", drawn(24)),
      "",
    ),
    of("aws-access-key-id", awsId),
    of("aws-secret-key", awsSecret, `AWS_SECRET_ACCESS_KEY=${awsSecret}`),
    of("azure-key", azure, `DefaultEndpointsProtocol=https;AccountName=a;${join("Account", "Key")}=${azure}`),
    of(
      "private-key",
      material[2] ?? "",
      join(
        "-----BEGIN ",
        "OPENSSH PRIV",
        "ATE KEY-----\n",
        material.join("\n"),
        "\n-----END OPENSSH PRIV",
        "ATE KEY-----",
      ),
    ),
    of(
      "jwt",
      join(
        encoded({ alg: "HS256", typ: "JWT" }),
        ".",
        encoded({ sub: drawn(12), exp: 1_900_000_000 }),
        ".",
        drawn(43),
      ),
    ),
    of("authorization", bearer, `Authorization: ${join("Bea", "rer")} ${bearer}`),
    of("authorization", basic, `Authorization: ${join("Ba", "sic")} ${basic}`),
    of("cookie", cookie, `Cookie: session=${cookie}; theme=dark`),
    of("stripe-key", join("sk", "_live_", drawn(24))),
    of("twilio-key", join("S", "K", drawn(32, hex))),
    of("sendgrid-key", join("S", "G.", drawn(22), ".", drawn(43))),
    of("npm-token", join("np", "m_", drawn(36))),
    of("pypi-token", join("py", "pi-AgEIcHlwaS5vcmc", drawn(80))),
    of("docker-token", join("dckr", "_pat_", drawn(27))),
    of("databricks-token", join("da", "pi", drawn(32, hex))),
    of("vault-token", join("hv", "s.", drawn(95))),
    of("database-url", databasePassword, `postgres://app:${databasePassword}@db.internal:5432/app`),
    of("url-credentials", urlPassword, `https://bot:${urlPassword}@git.internal/repo.git`),
    of("assigned-secret", password, `DB_PASSWORD="${password}"`),
    of("assigned-secret", apiKey, `{"api_key": "${apiKey}"}`),
  ].map((each) =>
    each.kind === "slack-webhook"
      ? { ...each, text: `https://hooks.slack.com/services/${each.value}` }
      : each,
  );
}

/** All of them, one below the other, as a program would log them. */
export function plantedText(secrets: readonly PlantedSecret[]): string {
  return secrets.map(({ kind, text }) => `# ${kind}\n${text}\n`).join("");
}
