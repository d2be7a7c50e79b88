import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { checkCommand } from "./model/check.ts";
import { listCommand } from "./model/list.ts";
import { pricesCommand } from "./model/prices.ts";

const help = `
Examples:
  tracemill model list
  tracemill model check openai/gpt-5.2
  tracemill model check http://127.0.0.1:8000/v1 --wait 10m
  tracemill model prices anthropic

A model is PROVIDER/NAME (openai/gpt-5.2, bedrock/us.anthropic.claude-sonnet-4-6), or the address of an
OpenAI-compatible server, with #NAME where it serves several. docs/models.md says where keys come from.`;

/** `tracemill model VERB`. */
export function modelCommand(context: CliContext): Command {
  return new Command("model")
    .description("what models can be reached, whether one answers, and what they cost")
    .addHelpText("after", help)
    .addCommand(listCommand(context))
    .addCommand(checkCommand(context))
    .addCommand(pricesCommand(context));
}
