import { TracemillError } from "@tracemill/core/errors.ts";
import { costOf, priceOf } from "@tracemill/core/models/prices.ts";
import { keyHeaders, type Provider, providerNames, providerOf } from "@tracemill/core/models/providers.ts";
import type { Usage } from "@tracemill/core/run/trial.ts";
import type { Config } from "../../config.ts";

type PublicProvider = Provider & { url: string; key: string };

/** The known providers that everybody reaches at one address, by name. */
const providers: Readonly<Record<string, PublicProvider>> = Object.fromEntries(
  providerNames({})
    .map((name) => providerOf(name, {}))
    .filter(
      (provider): provider is PublicProvider => provider.key !== undefined && provider.url !== undefined,
    )
    .map((provider) => [provider.name, provider]),
);

/** What `/s/SESSION:TOKEN/NAME/…` leads to: `/v1` is then part of the path, as at the provider's own address. */
export const providerUrls: Readonly<Record<string, string>> = Object.fromEntries(
  Object.values(providers).map(({ name, url }) => [name, url.replace(/\/v1$/, "")]),
);

/** Hosts that are intercepted unless a command says otherwise: the providers', Codex with a ChatGPT login, Azure, Bedrock. */
export const modelHosts: readonly string[] = [
  ...Object.values(providers).map(({ url }) => new URL(url).host),
  "chatgpt.com",
  "*.openai.azure.com",
  "*.services.ai.azure.com",
  ...["us-east-1", "us-east-2", "us-west-2", "eu-central-1", "eu-west-1", "eu-west-3", "ap-northeast-1"].map(
    (region) => `bedrock-runtime.${region}.amazonaws.com`,
  ),
];

/**
 * The keys that the proxy adds, as headers by host.
 * @param settings `NAME` of a provider's usual variable, or `PROVIDER=NAME`.
 * @throws TracemillError `invalid-input`, `unauthorized` when a variable is not set.
 */
export function keysByHost(
  settings: readonly string[],
  config: Pick<Config, "variable">,
): Record<string, Record<string, string>> {
  return Object.fromEntries(
    settings.map((setting) => {
      const { provider, variable } = readKeySetting(setting);
      const key = config.variable(variable);
      if (key !== undefined) return [new URL(provider.url).host, keyHeaders(provider.protocol, key)];
      throw new TracemillError(
        "unauthorized",
        `--key-env ${setting}: ${variable} is not set; export it first`,
      );
    }),
  );
}

function readKeySetting(setting: string): { provider: PublicProvider; variable: string } {
  const [, name, variable = setting] = /^([a-z]+)=(\w+)$/.exec(setting) ?? [];
  const provider = Object.values(providers).find((each) =>
    name === undefined ? each.key === setting : each.name === name,
  );
  if (provider !== undefined) return { provider, variable };
  const known = Object.values(providers).map((each) => `${each.name}=${each.key}`);
  throw new TracemillError(
    "invalid-input",
    `--key-env ${setting}: whose key? Give PROVIDER=VARIABLE, as ${known.join(", ")}`,
  );
}

/** US dollars of an answer, by what the provider calls the model; `undefined` when no price is known. */
export function answerCost(model: string, usage: Usage): number | undefined {
  for (const vendor of ["", "openai/", "anthropic/", "bedrock/"]) {
    const known = priceOf(`${vendor}${model}`);
    if (known !== undefined) return costOf(known.price, usage);
  }
  return undefined;
}
