import { looksRandom } from "./randomness.ts";
import { prefixed, type SecretRule, tokenStart } from "./secret-rule.ts";

const word = "A-Za-z0-9";
const url = "A-Za-z0-9_\\-";
const hex = "a-f0-9";

/** Keys of those who serve models. Forms: the issuers' documents, and GitHub's list of secret scanning patterns. */
const models: SecretRule[] = [
  prefixed({ kind: "anthropic-key", prefixes: ["sk-ant-"], body: url, length: [20, 512] }),
  prefixed({ kind: "openrouter-key", prefixes: ["sk-or-"], body: url, length: [20, 512] }),
  // DeepSeek, Moonshot, LiteLLM and others give their keys OpenAI's form.
  prefixed({
    kind: "openai-key",
    prefixes: ["sk-proj-", "sk-svcacct-", "sk-admin-"],
    body: url,
    length: [20, 512],
  }),
  {
    kind: "openai-key",
    anchors: ["sk-"],
    pattern: new RegExp(`${tokenStart}sk-[${word}]{20,256}`, "y"),
    accepts: (value) => looksRandom(value.slice(3)) && (/\d/.test(value) || /[A-Z].*[A-Z]/.test(value)),
  },
  prefixed({ kind: "google-key", prefixes: ["AIza"], body: url, length: 35 }),
  prefixed({ kind: "google-key", prefixes: ["AQ.Ab"], body: url, length: [30, 512] }),
  prefixed({ kind: "google-oauth", prefixes: ["ya29."], body: `${url}.`, length: [20, 2048] }),
  prefixed({ kind: "google-oauth", prefixes: ["GOCSPX-"], body: url, length: [24, 64] }),
  prefixed({ kind: "huggingface-token", prefixes: ["hf_", "api_org_"], body: word, length: [30, 64] }),
  prefixed({ kind: "groq-key", prefixes: ["gsk_"], body: word, length: [40, 128] }),
  prefixed({ kind: "xai-key", prefixes: ["xai-"], body: word, length: [40, 256] }),
  prefixed({ kind: "perplexity-key", prefixes: ["pplx-"], body: word, length: [40, 128] }),
  prefixed({ kind: "together-key", prefixes: ["tgp_v1_"], body: url, length: [30, 128] }),
  prefixed({ kind: "fireworks-key", prefixes: ["fw_"], body: word, length: [22, 64] }),
  prefixed({ kind: "replicate-token", prefixes: ["r8_"], body: word, length: [37, 40] }),
  prefixed({ kind: "nvidia-key", prefixes: ["nvapi-"], body: url, length: [50, 128] }),
  prefixed({ kind: "cerebras-key", prefixes: ["csk-"], body: word, length: [40, 128] }),
  prefixed({ kind: "tavily-key", prefixes: ["tvly-"], body: url, length: [24, 128] }),
  prefixed({ kind: "langsmith-key", prefixes: ["lsv2_pt_", "lsv2_sk_"], body: `${hex}_`, length: [40, 64] }),
  prefixed({ kind: "wandb-key", prefixes: ["wandb_v1_"], body: `${word}_`, length: [40, 128] }),
];

/** Where code lives and packages come from. */
const forges: SecretRule[] = [
  prefixed({
    kind: "github-token",
    prefixes: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
    body: word,
    length: [36, 255],
  }),
  prefixed({ kind: "github-token", prefixes: ["github_pat_"], body: `${word}_`, length: [60, 255] }),
  prefixed({
    kind: "gitlab-token",
    prefixes: [
      "glpat-",
      "gldt-",
      "glrt-",
      "glcbt-",
      "glptt-",
      "glft-",
      "glimt-",
      "glagent-",
      "gloas-",
      "glsoat-",
    ],
    body: `${url}.`,
    length: [20, 300],
  }),
  prefixed({ kind: "npm-token", prefixes: ["npm_"], body: word, length: 36 }),
  {
    kind: "npm-token",
    anchors: ["_authToken"],
    pattern: /_authToken\s{0,2}=\s{0,2}(?<value>[A-Za-z0-9_.~+/=-]{16,512})/y,
    accepts: looksRandom,
    byPlace: true,
  },
  prefixed({ kind: "pypi-token", prefixes: ["pypi-AgE"], body: url, length: [50, 1024] }),
  prefixed({ kind: "docker-token", prefixes: ["dckr_pat_", "dckr_oat_"], body: url, length: [24, 64] }),
  prefixed({ kind: "postman-key", prefixes: ["PMAK-"], body: `${hex}\\-`, length: [40, 80] }),
];

/** Cloud platforms and what runs on them. */
const platforms: SecretRule[] = [
  prefixed({ kind: "databricks-token", prefixes: ["dapi"], body: hex, length: 32 }),
  prefixed({ kind: "vault-token", prefixes: ["hvs.", "hvb.", "hvr."], body: url, length: [24, 300] }),
  prefixed({
    kind: "digitalocean-token",
    prefixes: ["dop_v1_", "doo_v1_", "dor_v1_"],
    body: hex,
    length: 64,
  }),
  prefixed({
    kind: "vercel-token",
    prefixes: ["vcp_", "vci_", "vca_", "vcr_", "vck_"],
    body: word,
    length: [20, 60],
  }),
  prefixed({
    kind: "supabase-key",
    prefixes: ["sbp_", "sb_secret_"],
    body: `${word}_`,
    length: [30, 64],
  }),
  prefixed({
    kind: "planetscale-token",
    prefixes: ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
    body: `${url}.`,
    length: [32, 64],
  }),
  {
    kind: "terraform-token",
    anchors: [".atlasv1."],
    pattern: /(?<=(?<before>[A-Za-z0-9]{14}))\.atlasv1\.[A-Za-z0-9_=-]{60,90}/y,
  },
  prefixed({ kind: "grafana-token", prefixes: ["glc_"], body: `${word}+/=`, length: [32, 500] }),
  prefixed({ kind: "grafana-token", prefixes: ["glsa_"], body: `${word}_`, length: [41, 64] }),
  prefixed({ kind: "newrelic-key", prefixes: ["NRAK-"], body: word, length: [24, 40] }),
  prefixed({
    kind: "sentry-token",
    prefixes: ["sntrys_", "sntryu_"],
    body: `${word}+/=_`,
    length: [60, 500],
  }),
  prefixed({
    kind: "doppler-token",
    prefixes: ["dp.pt.", "dp.st.", "dp.ct."],
    body: `${word}._\\-`,
    length: [40, 80],
  }),
];

/** Payments, messages and offices. */
const services: SecretRule[] = [
  prefixed({
    kind: "stripe-key",
    prefixes: ["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
    body: word,
    length: [16, 255],
  }),
  prefixed({ kind: "stripe-key", prefixes: ["whsec_"], body: `${word}+/=`, length: [32, 128] }),
  prefixed({ kind: "slack-token", prefixes: ["xapp-"], body: `${word}\\-`, length: [20, 255] }),
  {
    kind: "slack-token",
    anchors: ["xoxa-", "xoxb-", "xoxp-", "xoxo-", "xoxr-", "xoxs-", "xoxe-", "xoxe.xox"],
    pattern: new RegExp(`${tokenStart}xox[a-z](?:\\.xox[bp])?-[${word}\\-]{10,400}`, "y"),
    accepts: (value) => looksRandom(value.slice(value.lastIndexOf("-"))) && /\d/.test(value),
  },
  {
    kind: "slack-webhook",
    anchors: ["hooks.slack.com"],
    pattern: /hooks\.slack\.com\\?\/(?:services|workflows|triggers)\\?\/(?<value>[A-Za-z0-9+/\\]{20,200})/y,
    accepts: looksRandom,
  },
  {
    kind: "discord-webhook",
    anchors: ["/api/webhooks/"],
    pattern: /\/api\/webhooks\/\d{15,22}\/(?<value>[A-Za-z0-9_-]{50,100})/y,
    accepts: looksRandom,
  },
  {
    kind: "telegram-token",
    anchors: [":AA"],
    pattern: /(?<=(?<before>(?<!\d)\d{8,10})):AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])/y,
  },
  prefixed({ kind: "twilio-key", prefixes: ["SK"], body: hex, length: 32 }),
  {
    kind: "sendgrid-key",
    anchors: ["SG."],
    pattern: new RegExp(`${tokenStart}SG\\.[${url}]{16,64}\\.[${url}]{16,128}`, "y"),
    accepts: looksRandom,
  },
  prefixed({ kind: "mailgun-key", prefixes: ["key-"], body: hex, length: 32 }),
  prefixed({
    kind: "shopify-token",
    prefixes: ["shppa_", "shpca_", "shpat_", "shpss_"],
    body: word,
    length: [32, 64],
  }),
  prefixed({ kind: "linear-key", prefixes: ["lin_api_", "lin_oauth_"], body: `${word}_`, length: [32, 128] }),
  prefixed({ kind: "notion-token", prefixes: ["ntn_"], body: word, length: [40, 64] }),
  prefixed({ kind: "1password-token", prefixes: ["ops_eyJ"], body: `${word}+/=_\\-`, length: [100, 2048] }),
  prefixed({ kind: "figma-token", prefixes: ["figd_"], body: url, length: [40, 200] }),
  prefixed({
    kind: "age-key",
    prefixes: ["AGE-SECRET-KEY-1"],
    body: "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    length: 58,
  }),
];

/** Tokens that their issuers' prefixes tell. */
export const providerRules: readonly SecretRule[] = [...models, ...forges, ...platforms, ...services];
