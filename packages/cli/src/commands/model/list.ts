import { providerNames, providerOf } from "@tracemill/core/models/providers.ts";
import { Command } from "commander";
import type { CliContext } from "../../context.ts";
import { withBaseUrls } from "../../models.ts";
import { table } from "../../tables.ts";
import { modelKeysOf, type SpecOption, withSpec } from "./keys.ts";

export function listCommand(context: CliContext): Command {
  return withSpec(new Command("list"))
    .description("the providers that are known, where they are, and whether their keys are set")
    .option("--json", "one JSON line a provider")
    .action((options: SpecOption) => list(options, context));
}

async function list(options: SpecOption, { config, out }: CliContext): Promise<void> {
  const keys = await modelKeysOf(options);
  const providers = withBaseUrls(keys.providers, config);
  const found = providerNames(providers).map((name) => {
    const { protocol, url, key } = providerOf(name, providers);
    const isSet = key === undefined ? undefined : config.variable(key) !== undefined;
    return {
      name,
      protocol,
      ...(url === undefined ? {} : { url }),
      ...(key === undefined ? {} : { key, isSet }),
    };
  });
  for (const provider of found) out.event({ type: "provider", ...provider });
  const rows = found.map(({ name, protocol, url, key, isSet }) => [
    `${name}/…`,
    protocol,
    url ?? "the AWS SDK's endpoint and credentials",
    key === undefined ? "none wanted" : `${key} (${isSet === true ? "set" : "not set"})`,
  ]);
  out.text(table(["models", "protocol", "at", "key"], rows));
}
