import { codexTrajectory } from "@tracemill/core/atif/native/codex.ts";
import * as z from "zod";
import type { LayerRecipe } from "./install-layer.ts";
import {
  type Door,
  type Explained,
  type Launch,
  type Program,
  parsedLine,
  placeholderKey,
} from "./program.ts";

/** The newest that was tried here. */
const defaultVersion = "0.169.0";

export const exactVersion = z
  .string()
  .regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, "an exact version: 1.2.3");

/** `agents[].options` of a spec for `codex`. */
export const CodexOptions = z.strictObject({
  /** Of `@openai/codex` on npm. */
  version: exactVersion.default(defaultVersion),
  /** How much the model thinks, as Codex names it: `low`, `medium`, `high`. Default: Codex's own. */
  reasoningEffort: z.string().min(1).optional(),
  /** Words for the model beside Codex's own system prompt (`developer_instructions`). */
  instructions: z.string().min(1).optional(),
  /** Further settings, as `codex --config KEY=VALUE` takes them: the values are TOML. */
  config: z.record(z.string().regex(/^[\w.-]+$/), z.string()).default({}),
});
export type CodexOptions = z.infer<typeof CodexOptions>;

/** The platform's own package, under a name that is the same on every machine. It runs on any Linux: it is static. */
export function codexRecipe({ version }: CodexOptions): LayerRecipe {
  const packages = [`codex@npm:@openai/codex@${version}-linux-${process.arch}`];
  return { name: "codex", version, packages };
}

export function codexProgram(options: CodexOptions, layerPath: string): Program {
  return {
    name: "codex",
    version: options.version,
    protocol: "responses",
    folder: "codex",
    logs: ["sessions/*/*/*/*.jsonl", "sessions/*.jsonl"],
    launch: (door) => launch(options, `${layerPath}/node_modules/codex/vendor`, door),
    explain: explainCodex,
    trajectory: codexTrajectory,
  };
}

const Failure = z.union([
  z.looseObject({ type: z.literal("turn.failed"), error: z.looseObject({ message: z.string() }) }),
  z.looseObject({ type: z.literal("error"), message: z.string() }),
]);

/** `codex exec --json` prints an event a line. */
function explainCodex(stdout: string): Explained | undefined {
  const line = stdout.split("\n").findLast((text) => /^\{"type":"(?:turn\.failed|error)"/.test(text));
  const failure = Failure.safeParse(parsedLine(line)).data;
  if (failure === undefined) return undefined;
  return { reason: failure.type === "error" ? failure.message : failure.error.message };
}

function launch(options: CodexOptions, vendor: string, door: Door): Launch {
  const triple = process.arch === "arm64" ? "aarch64-unknown-linux-musl" : "x86_64-unknown-linux-musl";
  const settings = Object.entries(settingsOf(options, door)).flatMap(([key, value]) => [
    "-c",
    `${key}=${value}`,
  ]);
  return {
    command: [
      `${vendor}/${triple}/bin/codex`,
      ...["exec", "--json", "--skip-git-repo-check", "-C", door.workdir],
      ...settings,
      // The instruction comes by standard input: it may be longer than an argument can be.
      "-",
    ],
    env: { CODEX_HOME: door.home, TRACEMILL_KEY: placeholderKey },
    stdin: door.instruction,
  };
}

/** Values are TOML. The sandbox is the one around Codex: its own is off, and nobody is there to approve anything. */
function settingsOf(options: CodexOptions, { origin, model }: Door): Record<string, string> {
  const { reasoningEffort, instructions, config } = options;
  const provider = "model_providers.tracemill";
  return {
    model: text(model),
    model_provider: text("tracemill"),
    approval_policy: text("never"),
    sandbox_mode: text("danger-full-access"),
    check_for_update_on_startup: "false",
    "analytics.enabled": "false",
    [`${provider}.name`]: text("tracemill"),
    [`${provider}.base_url`]: text(`${origin}/v1`),
    [`${provider}.wire_api`]: text("responses"),
    [`${provider}.env_key`]: text("TRACEMILL_KEY"),
    [`${provider}.supports_websockets`]: "false",
    ...(reasoningEffort === undefined ? {} : { model_reasoning_effort: text(reasoningEffort) }),
    ...(instructions === undefined ? {} : { developer_instructions: text(instructions) }),
    ...config,
  };
}

/** JSON's strings are TOML's basic strings, but for the one control character that only TOML wants escaped. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
