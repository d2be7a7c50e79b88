import { claudeCodeTrajectory } from "@tracemill/core/atif/native/claude-code.ts";
import { codexTrajectory } from "@tracemill/core/atif/native/codex.ts";
import type { NativeLog } from "@tracemill/core/atif/native/log-lines.ts";
import { parseTrajectory, type Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { resolveEnv } from "@tracemill/core/trial/environment.ts";
import * as z from "zod";
import { chatLogTrajectory } from "./chat-log.ts";
import type { LayerRecipe } from "./install-layer.ts";
import { type Door, type Launch, type Program, placeholderKey } from "./program.ts";

const exactPackage = z
  .string()
  .regex(
    /^(?:[\w.-]+@npm:)?(?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+[\w.+-]*$/,
    "a package with its exact version: name@1.2.3",
  );

/** `agents[].options` of a spec for `command`. */
export const CommandOptions = z.strictObject({
  /**
   * A line for `/bin/sh`, run in the task's working directory. Filled in, quoted for the shell: `{instruction}`,
   * `{instructionFile}` (for instructions longer than 100 KB), `{workdir}`, `{baseUrl}`, `{model}`.
   */
  command: z.string().min(1),
  /** What trajectories call it. Default: the command's first word. */
  name: z.string().min(1).optional(),
  version: z.string().min(1).default("unknown"),
  /**
   * Makes the door the program's proxy for all hosts, so that one which insists on its provider's own is captured too.
   * Nothing else can be reached through it. Default: in sandboxes that have no network anyway.
   */
  proxy: z.boolean().optional(),
  /** What it speaks. Default: what its model's server does. */
  protocol: ModelProtocol.exclude(["converse"]).optional(),
  /** Further variables; the same names are filled in, unquoted, and `${NAME}` from the spec's `env`. */
  env: z.record(z.string(), z.string()).default({}),
  /** The program's own log. Default: its work is told by what was captured. */
  log: z
    .strictObject({
      /** Pattern of the shell, below `$PROGRAM_HOME` . */
      path: z.string().regex(/^[\w*?[\]./-]+$/, "a path below $PROGRAM_HOME, with * for any name"),
      format: z.enum(["codex", "claude-code", "chat-messages", "atif"]),
    })
    .optional(),
  install: z
    .strictObject({
      /** Packages of npm, laid in below `/opt/tracemill/command`; their commands are on the PATH. */
      npm: z.array(exactPackage).min(1).optional(),
      /** A line for `/bin/sh`, run in the sandbox before the command. It is part of the attempt's time. */
      setup: z.string().min(1).optional(),
    })
    .default({}),
});
export type CommandOptions = z.infer<typeof CommandOptions>;

const instructionFile = "/logs/agent/instruction.md";
const authorityFile = "/logs/agent/ca.pem";

export function commandRecipes({ install: { npm } }: CommandOptions): LayerRecipe[] {
  return npm === undefined ? [] : [{ name: "command", packages: npm }];
}

export function commandProgram(options: CommandOptions, layerPath: string): Program {
  const { version, log, protocol } = options;
  return {
    name: options.name ?? options.command.trim().split(/\s/)[0] ?? "command",
    version,
    ...(protocol === undefined ? {} : { protocol }),
    folder: "command",
    logs: log === undefined ? [] : [log.path],
    launch: (door) => launch(options, layerPath, door),
    trajectory: (logs) => (log === undefined ? undefined : converters[log.format](logs)),
  };
}

const converters: Readonly<
  Record<NonNullable<CommandOptions["log"]>["format"], (logs: readonly NativeLog[]) => Trajectory | undefined>
> = {
  codex: codexTrajectory,
  "claude-code": claudeCodeTrajectory,
  "chat-messages": chatLogTrajectory,
  atif: ([log]) => (log === undefined ? undefined : parseTrajectory(JSON.parse(log.text), log.path)),
};

function launch(options: CommandOptions, layerPath: string, door: Door): Launch {
  const { command, env, install, proxy = door.isAlone } = options;
  const values = valuesOf(door);
  const filled = fill(command, (name) => quoted(values[name]));
  const given = resolveEnv(env, door.env, "agents: options.env of command");
  const own = Object.entries(given).map(([name, value]) => [name, fill(value, (key) => values[key])]);
  return {
    command: [
      "/bin/sh",
      "-c",
      prepare,
      "prepare",
      `${layerPath}/node_modules/.bin`,
      install.setup ?? "",
      filled,
    ],
    env: { ...variables(door), ...(proxy ? proxyVariables(door) : {}), ...Object.fromEntries(own) },
    files: [
      { path: instructionFile, content: door.instruction },
      { path: authorityFile, content: door.certificate },
    ],
  };
}

type Values = ReturnType<typeof valuesOf>;

function valuesOf({ instruction, workdir, origin, model, protocol }: Door) {
  const baseUrl = protocol === "messages" ? origin : `${origin}/v1`;
  return { instruction, instructionFile, workdir, baseUrl, model };
}

function fill(template: string, value: (name: keyof Values) => string): string {
  return template.replace(
    /\{(instruction|instructionFile|workdir|baseUrl|model)\}/g,
    (_, name: keyof Values) => value(name),
  );
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/**
 * Some programs take a list of authorities in place of the system's: it gets one of both. Where the command can be found
 * is put before the PATH that the image has.
 */
const prepare = `PATH=$1:$PATH; export PATH
roots=
for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
  if [ -r "$file" ]; then roots=$file; break; fi
done
cat $roots ${authorityFile} > "$PROGRAM_HOME/ca-bundle.pem" || exit
if [ -n "$2" ]; then /bin/sh -c "$2" || exit; fi
exec /bin/sh -c "$3"`;

function variables({ origin }: Door): Record<string, string> {
  return {
    OPENAI_BASE_URL: `${origin}/v1`,
    OPENAI_API_KEY: placeholderKey,
    ANTHROPIC_BASE_URL: origin,
    ANTHROPIC_API_KEY: placeholderKey,
  };
}

function proxyVariables({ origin, home }: Door): Record<string, string> {
  const bundle = `${home}/ca-bundle.pem`;
  const variables = {
    ...{ HTTP_PROXY: origin, HTTPS_PROXY: origin, ALL_PROXY: origin },
    NO_PROXY: "127.0.0.1,localhost",
  };
  const small = Object.entries(variables).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    ...variables,
    ...Object.fromEntries(small),
    // These take further authorities.
    NODE_EXTRA_CA_CERTS: authorityFile,
    CODEX_CA_CERTIFICATE: authorityFile,
    // These take a list in place of the system's.
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
  };
}
