import type { ModelPrice } from "@tracemill/core/models/model-spec.ts";
import { priceTable } from "@tracemill/core/models/price-table.ts";
import { priceOf } from "@tracemill/core/models/prices.ts";
import { Command } from "commander";
import type { CliContext } from "../../context.ts";
import { table } from "../../tables.ts";
import { modelKeysOf, type SpecOption, withSpec } from "./keys.ts";

const help = `
US dollars for a million tokens, and the day as of which each was read. A model that is not here has no cost until
\`prices\` in the run's spec says one.`;

export function pricesCommand(context: CliContext): Command {
  return withSpec(new Command("prices"))
    .description("what models cost, as far as it is known")
    .argument("[part]", "those whose name holds this; a whole name also finds its dated and regional forms")
    .option("--json", "one JSON line a model")
    .addHelpText("after", help)
    .action((part: string | undefined, options: SpecOption) => prices(part ?? "", options, context));
}

async function prices(part: string, options: SpecOption, { out }: CliContext): Promise<void> {
  const { prices: own } = await modelKeysOf(options);
  const named = [...new Set([...Object.keys(own), ...Object.keys(priceTable)])].filter((name) =>
    name.includes(part),
  );
  const names = named.length === 0 && part !== "" ? [part] : named;
  const found = names.flatMap((name) => {
    const known = priceOf(name, own);
    return known === undefined ? [] : { name, ...known };
  });
  for (const { name, price, ...source } of found)
    out.event({ type: "price", model: name, ...source, ...price });
  if (found.length === 0) {
    out.note(
      `no price is known of ${part}; say one in the spec: prices: { "${part}": { input: 1, output: 2 } }`,
    );
    return;
  }
  const rows = found.flatMap(({ name, price, ...source }) => {
    const asOf = source.from === "table" ? source.asOf : "the spec";
    const long = price.longPrompt;
    const main = [name, ...ratesOf(price), asOf];
    return long === undefined ? [main] : [main, [`  prompts > ${long.above}`, ...ratesOf(long), asOf]];
  });
  out.text(table(["model", "input", "cached", "written", "output", "as of"], rows));
}

function ratesOf({ input, cachedInput, cacheWrite, output }: Omit<ModelPrice, "longPrompt">): string[] {
  return [input, cachedInput, cacheWrite, output].map((rate) => (rate === undefined ? "" : dollars(rate)));
}

/** At most six figures after the point: scaled prices are no round numbers. */
function dollars(rate: number): string {
  return String(Number(rate.toFixed(6)));
}
