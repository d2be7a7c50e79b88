import type { Agent, AgentContext, AgentResult } from "@tracemill/core/ports/agent.ts";
import type { SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import type { AgentRef } from "@tracemill/core/run/trial.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import type * as z from "zod";
import { whyNotLive } from "../live-task.ts";
import { ClaudeCodeOptions, claudeCodeProgram, claudeCodeRecipes } from "./claude-code.ts";
import { CodexOptions, codexProgram, codexRecipe } from "./codex.ts";
import { CommandOptions, commandProgram, commandRecipes } from "./command.ts";
import type { InstallLayer, LayerRecipe } from "./install-layer.ts";
import type { Program } from "./program.ts";
import type { ProgramDeps } from "./run-program.ts";
import { checkModel } from "./upstream-for.ts";

export interface CliAgentDeps extends ProgramDeps {
  installLayer: InstallLayer;
}

/** A kind of agent that runs a program: its options, what is installed for it, and the program itself. */
interface Kind<S extends z.ZodType> {
  name: string;
  options: S;
  recipes(options: z.output<S>): readonly LayerRecipe[];
  program(options: z.output<S>): Program;
}

/** Agents for the command line, which run in the attempt's sandbox: `codex`, `claude-code`, and `command` for any other. */
export function cliAgents(deps: CliAgentDeps): Agent[] {
  return [cliAgent(codex, deps), cliAgent(claudeCode, deps), cliAgent(command, deps)];
}

const codex: Kind<typeof CodexOptions> = {
  name: "codex",
  options: CodexOptions,
  recipes: (options) => [codexRecipe(options)],
  program: (options) => codexProgram(options, layerPath(codexRecipe(options))),
};

const claudeCode: Kind<typeof ClaudeCodeOptions> = {
  name: "claude-code",
  options: ClaudeCodeOptions,
  recipes: claudeCodeRecipes,
  program: (options) => {
    const paths = claudeCodeRecipes(options).map((recipe) => [recipe.libc, layerPath(recipe)]);
    return claudeCodeProgram(options, Object.fromEntries(paths));
  },
};

const command: Kind<typeof CommandOptions> = {
  name: "command",
  options: CommandOptions,
  recipes: commandRecipes,
  program: (options) => commandProgram(options, "/opt/tracemill/command"),
};

/** Where a layer lies in a sandbox. */
function layerPath({ name, libc }: Pick<LayerRecipe, "name" | "libc">): string {
  return `/opt/tracemill/${name}${libc === "musl" ? "-musl" : ""}`;
}

function cliAgent<S extends z.ZodType>(kind: Kind<S>, deps: CliAgentDeps): Agent {
  const optionsOf = ({ options = {} }: AgentRef) =>
    parseAs(kind.options, options, `agents: options of ${kind.name}`, "invalid-spec");
  const programOf = (agent: AgentRef) => kind.program(optionsOf(agent));
  return {
    name: kind.name,
    version: "1",
    decidedBy: "task",
    takesModel: true,
    check: (agent, spec) => checkModel(programOf(agent), agent.model ?? spec.roles.policy, spec),
    layers: (agent, signal) => layersOf(kind.recipes(optionsOf(agent)), deps.installLayer, signal),
    needsSandbox: () => true,
    variants: (task) => {
      const reason =
        task.kind === "scenario" ? "it is no Harbor task: its tools are not a sandbox's" : whyNotLive(task);
      return reason === undefined ? { references: [undefined] } : { excluded: reason };
    },
    run: async (context: AgentContext): Promise<AgentResult> => {
      // Loaded by processes that run one: most only look at specs.
      const { runProgram } = await import("./run-program.ts");
      return runProgram(programOf(context.agent), context, deps);
    },
  };
}

async function layersOf(
  recipes: readonly LayerRecipe[],
  installLayer: InstallLayer,
  signal: AbortSignal,
): Promise<SandboxLayer[]> {
  const layers: SandboxLayer[] = [];
  for (const recipe of recipes)
    layers.push({ ...(await installLayer(recipe, signal)), path: layerPath(recipe) });
  return layers;
}
