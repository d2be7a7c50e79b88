import { Command, Option } from "commander";
import type { CliContext } from "../../context.ts";
import { requireWritable } from "../../deps.ts";
import {
  baseUrlVariables,
  type Client,
  clientOf,
  exportLines,
  proxyVariables,
  type Shell,
  sessionName,
  shells,
  unsetLines,
  usualShell,
} from "./client-env.ts";
import { findRunning, homeAuthority, homePort, homeSecret } from "./proxy-home.ts";

interface Options {
  session?: string;
  shell?: Shell;
  baseUrl?: true;
  unset?: true;
}

const help = `
Examples:
  eval "$(tracemill proxy env)"                        # bash, zsh, sh
  tracemill proxy env --shell fish | source            # fish
  tracemill proxy env --shell powershell | Out-String | Invoke-Expression
  eval "$(tracemill proxy env --unset)"                # and back

The session is the one given, else $RUN_ID, else a new one. The proxy need not run yet. The lines hold a token of this
session: whoever has it can add to the session, and nothing else.`;

/** `tracemill proxy env`. */
export function envCommand(context: CliContext): Command {
  return new Command("env")
    .description("print the lines that put a shell's programs behind the proxy")
    .option("--session <name>", "name of the session (default: $RUN_ID, or a new one)")
    .addOption(new Option("--shell <shell>", "whose lines (default: as $SHELL says)").choices(shells))
    .option(
      "--base-url",
      "OPENAI_BASE_URL and ANTHROPIC_BASE_URL instead of a proxy: no certificate to trust",
    )
    .option("--unset", "the lines that take it back")
    .option("--json", "the variables, as one JSON line")
    .addHelpText("after", help)
    .action((options: Options) => printEnv(options, context));
}

async function printEnv(options: Options, context: CliContext): Promise<void> {
  const { config, out } = context;
  const client = await shellClient(options.session, context);
  const variables = options.baseUrl === true ? baseUrlVariables(client) : proxyVariables(client);
  const shell = options.shell ?? usualShell(config.variable("SHELL"));
  out.event(options.unset === true ? { unset: Object.keys(variables) } : { set: variables });
  const lines =
    options.unset === true ? unsetLines(Object.keys(variables), shell) : exportLines(variables, shell);
  for (const line of lines) out.text(line);
  if (options.unset === true) return;
  const running = await findRunning(context);
  if (running === undefined) out.note("no proxy runs yet; start it with: tracemill proxy");
}

/** A client of this home's proxy, whether it runs or not. */
async function shellClient(session: string | undefined, context: CliContext): Promise<Client> {
  const { home, config } = context;
  await requireWritable(home);
  const name = sessionName(session, context);
  const { bundle } = await homeAuthority(context);
  const place = { secret: await homeSecret(home), port: await homePort(home), bundle };
  return clientOf(name, place, config);
}
