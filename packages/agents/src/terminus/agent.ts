import { TracemillError } from "@tracemill/core/errors.ts";
import type { Agent, AgentContext, AgentResult, TrialVariants } from "@tracemill/core/ports/agent.ts";
import type { Sandbox } from "@tracemill/core/ports/sandbox.ts";
import type { AgentRef, TaskRef } from "@tracemill/core/run/trial.ts";
import { checkModel, liveVariants, openModel } from "../model-options.ts";
import { instructionOf, TrajectoryBuilder } from "../trajectory-builder.ts";
import { jsonForm } from "./json-reply.ts";
import { type TerminusOptions, terminusOptions } from "./options.ts";
import { playedReplies } from "./played-replies.ts";
import { firstPrompt, systemPrompt } from "./prompts.ts";
import type { ReplyForm } from "./reply.ts";
import { ShellDesk } from "./shell-desk.ts";
import { openTerminal } from "./terminal.ts";
import { Work } from "./work.ts";
import { xmlForm } from "./xml-reply.ts";

const name = "terminus";
const version = "1";

const forms: Readonly<Record<TerminusOptions["parser"], ReplyForm>> = { json: jsonForm, xml: xmlForm };

/**
 * A model at a terminal, by the method of Terminus-2: it sees the screen of one shell and says which keys are typed and
 * how long to wait, in plain text, so that any model can do it; it ends its work by saying twice that it is done.
 */
export const terminus: Agent = {
  name,
  version,
  decidedBy: "task",
  takesModel: true,
  check: (agent, spec) => checkModel(agent, terminusOptions(agent.options), spec),
  needsSandbox: () => true,
  variants,
  run: runTerminus,
};

function variants(task: TaskRef, agent: AgentRef): TrialVariants {
  if (task.kind === "scenario")
    return { excluded: "terminus works at a terminal; the task offers tools, not one" };
  return liveVariants(task, agent);
}

async function runTerminus(context: AgentContext): Promise<AgentResult> {
  const { sandbox, signal, clock } = context;
  if (sandbox === undefined) throw new TracemillError("invalid-task", "terminus wants a sandbox");
  const options = terminusOptions(context.agent.options);
  const form = forms[options.parser];
  const opened = await openModel(context, options);
  const model = opened.replayed === true ? playedReplies(opened, form) : opened;
  const trajectory = startTrajectory(context, options);
  context.keepTrajectory(() => trajectory.build());
  const open = () => openTerminal(sandbox, options, { clock, signal });
  await using desk = new ShellDesk(await open(), open, sandbox.workdir);
  const task = instructionOf(context.task);
  const assignment = { model, form, desk, trajectory, version, task, options, signal, clock };
  const work = new Work(assignment, firstMessages(sandbox, desk, form, task, options));
  const end = await work.run();
  return { end, trajectory: trajectory.build() };
}

function startTrajectory({ agent, clock }: AgentContext, options: TerminusOptions): TrajectoryBuilder {
  const { parser, temperature, maxTokens } = options;
  const extra = {
    parser,
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  };
  const model = agent.model === undefined ? {} : { model_name: agent.model };
  return new TrajectoryBuilder({ name, version, ...model, extra }, clock);
}

function firstMessages(
  { workdir }: Pick<Sandbox, "workdir">,
  desk: ShellDesk,
  form: ReplyForm,
  task: string,
  options: TerminusOptions,
) {
  return [
    { role: "system" as const, content: systemPrompt(form, { workdir, ...options }, options.instructions) },
    { role: "user" as const, content: firstPrompt(task, desk.look()) },
  ];
}
