import { writeChatMessages } from "@tracemill/core/atif/from-chat.ts";
import type { NativeLog } from "@tracemill/core/atif/native/log-lines.ts";
import { isFields } from "@tracemill/core/atif/source-content.ts";
import { StepWriter } from "@tracemill/core/atif/step-writer.ts";
import type { Trajectory } from "@tracemill/core/atif/trajectory.ts";

/**
 * A log of messages in OpenAI chat form: a JSON list, an object with `messages`, or a message a line. Only the first
 * file is read.
 * @returns undefined when there is no message in it.
 */
export function chatLogTrajectory([log]: readonly NativeLog[]): Trajectory | undefined {
  const messages = log === undefined ? [] : messagesOf(log.text).filter(isFields);
  if (messages.length === 0) return undefined;
  const writer = new StepWriter();
  writeChatMessages(messages, writer);
  return {
    schema_version: "ATIF-v1.8",
    agent: { name: "command", version: "unknown" },
    steps: writer.finish(),
  };
}

function messagesOf(text: string): unknown[] {
  const whole = parsed(text);
  if (Array.isArray(whole)) return whole;
  if (isFields(whole) && Array.isArray(whole.messages)) return whole.messages as unknown[];
  return text.split("\n").map(parsed);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
