import { claudeCodeTrajectory } from "@tracemill/core/atif/native/claude-code.ts";
import { resolveEnv } from "@tracemill/core/trial/environment.ts";
import * as z from "zod";
import { exactVersion } from "./codex.ts";
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
const defaultVersion = "2.1.330";

/** `agents[].options` of a spec for `claude-code`. */
export const ClaudeCodeOptions = z.strictObject({
  /** Of `@anthropic-ai/claude-code` on npm. */
  version: exactVersion.default(defaultVersion),
  /** The C library of the tasks' images; `musl` for Alpine, `both` where a run has tasks of each. */
  libc: z.enum(["glibc", "musl", "both"]).default("glibc"),
  /** What the server calls the model for side requests (titles, searches). Default: the agent's own. */
  smallModel: z.string().min(1).optional(),
  /** The most answers that the model may give, as Claude Code counts them. Default: no limit of its own. */
  maxTurns: z.number().int().min(1).optional(),
  /** Tools that it has, as `--tools` names them. Default: all. */
  allowedTools: z.array(z.string().min(1)).min(1).optional(),
  /** Tools that it must not use, as `--disallowedTools` names them. */
  disallowedTools: z.array(z.string().min(1)).min(1).optional(),
  /** Words behind Claude Code's own system prompt. */
  appendSystemPrompt: z.string().min(1).optional(),
  /** The most tokens of thinking in one answer (`MAX_THINKING_TOKENS`). */
  maxThinkingTokens: z.number().int().min(0).optional(),
  /** Further variables for it; `${NAME}` is filled in from the spec's `env`. */
  env: z.record(z.string(), z.string()).default({}),
});
export type ClaudeCodeOptions = z.infer<typeof ClaudeCodeOptions>;

/** The platform's own package, under a name that is the same on every machine. */
export function claudeCodeRecipes({ version, libc }: ClaudeCodeOptions): LayerRecipe[] {
  const kinds = libc === "both" ? (["glibc", "musl"] as const) : [libc];
  return kinds.map((kind) => {
    const platform = `linux-${process.arch}${kind === "musl" ? "-musl" : ""}`;
    const packages = [`claude@npm:@anthropic-ai/claude-code-${platform}@${version}`];
    return { name: "claude-code", version, packages, libc: kind };
  });
}

/** @param layerPaths of the programs, by the C library that they want. */
export function claudeCodeProgram(
  options: ClaudeCodeOptions,
  layerPaths: Readonly<Partial<Record<"glibc" | "musl", string>>>,
): Program {
  return {
    name: "claude-code",
    version: options.version,
    protocol: "messages",
    folder: "claude-code",
    logs: ["projects/*/*.jsonl", "projects/*/*/subagents/*.jsonl", "projects/*/*/subagents/*.meta.json"],
    launch: (door) => launch(options, layerPaths, door),
    explain: explainClaude,
    trajectory: claudeCodeTrajectory,
  };
}

const Result = z.looseObject({
  type: z.literal("result"),
  subtype: z.string(),
  result: z.string().optional(),
});

/** `claude -p --output-format json` prints one object at its end. */
function explainClaude(stdout: string): Explained | undefined {
  const line = stdout.split("\n").findLast((text) => text.startsWith("{"));
  const { subtype, result } = Result.safeParse(parsedLine(line)).data ?? {};
  if (subtype === undefined) return undefined;
  if (subtype !== "error_max_turns") return { reason: result ?? subtype };
  return { reason: "it reached its own limit of turns (`options.maxTurns`)", limit: true };
}

function launch(
  options: ClaudeCodeOptions,
  layerPaths: Readonly<Partial<Record<"glibc" | "musl", string>>>,
  door: Door,
): Launch {
  const { maxTurns, allowedTools, disallowedTools, appendSystemPrompt } = options;
  const flags = {
    "--output-format": "json",
    "--permission-mode": "bypassPermissions",
    "--model": door.model,
    "--max-turns": maxTurns,
    "--tools": allowedTools?.join(","),
    "--disallowedTools": disallowedTools?.join(","),
    "--append-system-prompt": appendSystemPrompt,
  };
  const given = Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, String(value)],
  );
  return {
    command: [
      "/bin/sh",
      "-c",
      choose,
      "claude",
      layerPaths.glibc ?? "",
      layerPaths.musl ?? "",
      "-p",
      ...given,
    ],
    env: {
      ...variables(options, door),
      ...resolveEnv(options.env, door.env, "agents: options.env of claude-code"),
    },
    // The instruction comes by standard input: it may be longer than an argument can be.
    stdin: door.instruction,
  };
}

/** Starts the program that fits the image's C library; 78 is "configuration error" among the usual exit codes. */
const choose = `glibc=$1 musl=$2
shift 2
for loader in /lib/ld-musl-*; do
  if [ -e "$loader" ]; then chosen=$musl other=musl; else chosen=$glibc other=glibc; fi
done
if [ -z "$chosen" ]; then
  echo "this image has $other; give the agent options: { libc: $other }, or both" >&2
  exit 78
fi
exec "$chosen/node_modules/claude/claude" "$@"`;

function variables(
  { maxThinkingTokens, smallModel }: ClaudeCodeOptions,
  { origin, model, home }: Door,
): Record<string, string> {
  return {
    ANTHROPIC_BASE_URL: origin,
    ANTHROPIC_API_KEY: placeholderKey,
    CLAUDE_CONFIG_DIR: home,
    CLAUDE_CODE_TMPDIR: `${home}/tmp`,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    // Root may skip permissions only where it says that it is in a sandbox.
    IS_SANDBOX: "1",
    // By itself it would name models of Anthropic's, which the server may not have.
    ANTHROPIC_DEFAULT_HAIKU_MODEL: smallModel ?? model,
    CLAUDE_CODE_SUBAGENT_MODEL: model,
    ...(maxThinkingTokens === undefined ? {} : { MAX_THINKING_TOKENS: String(maxThinkingTokens) }),
  };
}
