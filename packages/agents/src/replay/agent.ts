import { trajectoryToMessages } from "@tracemill/core/atif/messages.ts";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { Agent, AgentContext, AgentResult } from "@tracemill/core/ports/agent.ts";
import type { ChatMessage } from "@tracemill/core/ports/model-client.ts";
import type { AgentEnd } from "@tracemill/core/run/trial.ts";
import { liveVariants, recordedModel } from "../model-options.ts";
import { runToolLoop } from "../tool-loop.ts";
import { openTools } from "../tools/registry.ts";
import { instructionOf, TrajectoryBuilder } from "../trajectory-builder.ts";
import { type Recording, recordingOf } from "./model.ts";
import { playing } from "./playing.ts";

const version = "1";

/**
 * Plays a recorded solution again: the model's answers come from the recording, the tools really run, in a
 * live sandbox. What they answer this time is held against the recording. Tokens are not spent again: the recorded
 * figures are in the trajectory's steps, and no budget counts them.
 */
export const replay: Agent = {
  name: "replay",
  version,
  decidedBy: "task",
  needsSandbox: () => true,
  variants: (task, agent) => liveVariants(task, { ...agent, model: recordedModel }),
  run: runReplay,
};

async function runReplay(context: AgentContext): Promise<AgentResult> {
  const { reference, sandbox, solutionId = "" } = context;
  if (reference === undefined || sandbox === undefined) {
    throw new TracemillError("invalid-task", "a replay wants a recorded solution and a sandbox");
  }
  await using resources = new AsyncDisposableStack();
  const recording = recordingOf(reference);
  const label = reference.agent.model_name ?? "recorded";
  const model = await context.models.open(recordedModel, { reference, label });
  const trajectory = startTrajectory(context, reference, recording);
  context.keepTrajectory(() => trajectory.build());
  const { report, ...played } = playing(reference, solutionId);
  const play = (): Promise<AgentEnd> =>
    runToolLoop(
      {
        model,
        tools: reference.agent.tool_definitions ?? [],
        callTool: openTools({ sandbox, signal: context.signal, resources }),
        trajectory,
        messages: messagesOf(trajectory.build()),
        ...played,
      },
      context,
    );
  const end: AgentEnd = recording.turns.length === 0 ? { kind: "completed" } : await play();
  return { end, trajectory: trajectory.build(), replay: report() };
}

function startTrajectory(
  context: AgentContext,
  reference: Trajectory,
  recording: Recording,
): TrajectoryBuilder {
  const trajectory = new TrajectoryBuilder({ ...reference.agent }, context.clock);
  for (const { step_id: _, ...step } of recording.preamble) trajectory.add(step);
  if (recording.preamble.length === 0)
    trajectory.add({ source: "user", message: instructionOf(context.task) });
  return trajectory;
}

function messagesOf(trajectory: Trajectory): ChatMessage[] {
  return trajectoryToMessages(trajectory).messages as ChatMessage[];
}
