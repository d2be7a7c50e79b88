import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import { kindOf } from "@tracemill/core/models/run-secrets.ts";
import {
  type CheckedItem,
  checkCaptures,
  checkObjects,
  checkRecords,
} from "@tracemill/core/redact/check/check-home.ts";
import { checkObject } from "@tracemill/core/redact/check/check-object.ts";
import { createRedactor, type KnownSecret } from "@tracemill/core/redact/create.ts";
import { RedactionPolicy } from "@tracemill/core/redact/policy.ts";
import type { ScanningRedactor } from "@tracemill/core/redact/scanning-redactor.ts";
import { hasErrno } from "@tracemill/local/disk.ts";
import { Command, Option } from "commander";
import { inHome, isOnAws, type PlaceOptions, withPlace } from "../aws/place.ts";
import type { CliContext, Home } from "../context.ts";
import { table } from "../tables.ts";
import { inCaptures } from "./proxy/captures.ts";
import { proxyFiles } from "./proxy/proxy-home.ts";

interface Options extends PlaceOptions {
  check?: boolean;
  personal?: RedactionPolicy["personal"];
  secretEnv?: string[];
  json?: boolean;
}

const help = `
Examples:
  tracemill redact --check
  tracemill redact --check runs/run_01J… datasets/ --personal email home
  tracemill redact --check --secret-env INTERNAL_TOKEN --json

PREFIX is the beginning of object keys (default: all objects, the records of runs, captured exchanges and build logs).
It ends with exit code 1 when something is found. Nothing is rewritten: tasks, snapshots and datasets are named by their
content. Revoke what was found first; docs/redaction.md says how to delete what holds it.`;

/** `tracemill redact --check`. */
export function redactCommand(context: CliContext): Command {
  return withPlace(new Command("redact"))
    .description("look for secrets in what is stored")
    .argument("[prefix...]", "beginnings of object keys")
    .option("--check", "say what stands where; changes nothing")
    .addOption(
      new Option("--personal <kind...>", "look for personal data too").choices([
        ...RedactionPolicy.shape.personal.unwrap().element.options,
      ]),
    )
    .option("--secret-env <name...>", "look for the values of these variables too, in any form")
    .option("--json", "one JSON line for each place, and one with the counts")
    .addHelpText("after", help)
    .action((prefixes: string[], options: Options) => redactAction(prefixes, options, context));
}

async function redactAction(
  prefixes: readonly string[],
  options: Options,
  context: CliContext,
): Promise<void> {
  if (options.check !== true) {
    throw new TracemillError(
      "invalid-input",
      "say `tracemill redact --check`: it looks for secrets; what is stored is never rewritten",
    );
  }
  const policy = RedactionPolicy.parse({ personal: options.personal ?? [] });
  const redactor = createRedactor(policy, namedSecrets(options.secretEnv ?? [], context));
  const tally = new Tally(context);
  await inHome(options, context, async (home) => {
    for (const prefix of prefixes) await requireObject(prefix, home);
    for await (const item of checkHome(prefixes, home, redactor)) {
      tally.add(item);
      context.signal.throwIfAborted();
    }
  });
  if (prefixes.length === 0 && !isOnAws(options, context)) await checkMachine(context, redactor, tally);
  tally.finish();
}

function namedSecrets(names: readonly string[], { config }: CliContext): KnownSecret[] {
  return names.map((name) => {
    const value = config.variable(name);
    if (value !== undefined) return { value, kind: kindOf(name) };
    throw new TracemillError("invalid-input", `--secret-env ${name}: no such variable is set`);
  });
}

/** A prefix with a slip in it would say forever that there is no secret. */
async function requireObject(prefix: string, { objects }: Home): Promise<void> {
  for await (const _ of objects.list(prefix)) return;
  throw new TracemillError(
    "not-found",
    `no object's key begins with ${prefix}; keys are paths such as runs/RUN/ and datasets/NAME/`,
  );
}

async function* checkHome(
  prefixes: readonly string[],
  { objects, records }: Home,
  redactor: ScanningRedactor,
): AsyncGenerator<CheckedItem> {
  yield* checkObjects(prefixes.length === 0 ? [""] : prefixes, { objects, redactor });
  if (prefixes.length === 0) yield* checkRecords({ records, redactor });
}

/** What one machine has besides its stores. In the cloud captures are objects. */
async function checkMachine(context: CliContext, redactor: ScanningRedactor, tally: Tally): Promise<void> {
  if (existsSync(proxyFiles(context.home).captures)) {
    await inCaptures({ on: "local" }, context, async ({ store }) => {
      for await (const item of checkCaptures({ captures: store, redactor })) tally.add(item);
    });
  }
  // Docker's client takes 0.2 s to load, which other commands do not wait for.
  const { dockerLogDir } = await import("@tracemill/agents/sandbox/docker/provider.ts");
  const folder = dockerLogDir(context.home);
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    tally.add({ where: path, bytes: 0, ...(await checkObject(path, createReadStream(path), redactor)) });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Least time between two progress lines. */
const progressEveryMs = 2_000;

class Tally {
  readonly #context: CliContext;
  readonly #kinds = new Map<string, { count: number; places: number }>();
  #items = 0;
  #bytes = 0;
  #holding = 0;
  #saidAt: number;

  constructor(context: CliContext) {
    this.#context = context;
    this.#saidAt = context.clock.now();
  }

  add(item: CheckedItem): void {
    const { out, clock } = this.#context;
    this.#items += 1;
    this.#bytes += item.bytes;
    if (item.sightings.length > 0) this.#holding += 1;
    this.#count(item);
    for (const { place, kind, excerpt } of item.sightings) {
      out.event({ type: "found", where: item.where, place, kind, excerpt });
      out.text(`${item.where}${place === "" ? "" : `  ${place}`}\n  ${kind}: ${excerpt}`);
    }
    if (item.more > 0) out.text(`${item.where}\n  and ${item.more} more`);
    if (item.unread !== undefined && !item.where.endsWith(".parquet")) {
      out.note(`not read to its end: ${item.where}: ${item.unread}`);
    }
    if (clock.now() - this.#saidAt < progressEveryMs) return;
    this.#saidAt = clock.now();
    out.note(`redact: ${this.#words()}`);
  }

  finish(): void {
    const { out } = this.#context;
    const kinds = [...this.#kinds].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const counts = Object.fromEntries(kinds.map(([kind, { count }]) => [kind, count]));
    out.event({ type: "checked", items: this.#items, bytes: this.#bytes, holding: this.#holding, counts });
    if (kinds.length > 0) {
      const rows = kinds.map(([kind, { count, places }]) => [kind, String(count), String(places)]);
      out.text(`\n${table(["kind", "found", "in"], rows)}`);
      this.#context.exitCode = 1;
    }
    out.text(`${kinds.length > 0 ? "\n" : ""}${this.#words()}`);
  }

  #count({ sightings, more }: CheckedItem): void {
    for (const [kind, found] of Map.groupBy(sightings, (sighting) => sighting.kind)) {
      const { count, places } = this.#kinds.get(kind) ?? { count: 0, places: 0 };
      this.#kinds.set(kind, { count: count + found.length, places: places + 1 });
    }
    if (more > 0) this.#kinds.set("not listed", { count: more, places: 1 });
  }

  #words(): string {
    const found = [...this.#kinds.values()].reduce((sum, { count }) => sum + count, 0);
    const size = `${(this.#bytes / 1e6).toFixed(1)} MB`;
    return `${this.#items} objects and records read (${size} as stored); ${found === 0 ? "no secret found" : `${found} found in ${this.#holding}`}`;
  }
}
