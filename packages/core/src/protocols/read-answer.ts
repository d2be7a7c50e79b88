import type { ModelAnswer } from "../ports/model-client.ts";
import { readChatAnswer } from "./chat-completions/read-answer.ts";
import { readConverseAnswer } from "./converse/read-answer.ts";
import { fieldsList, fieldsOf, textIn } from "./fields.ts";
import { readMessagesAnswer } from "./messages/read-answer.ts";
import type { ModelProtocol } from "./protocol.ts";
import { readResponsesAnswer } from "./responses/read-answer.ts";

const readers = {
  "chat-completions": readChatAnswer,
  responses: readResponsesAnswer,
  messages: readMessagesAnswer,
  converse: readConverseAnswer,
};

/**
 * Reads the whole body of an answer, streamed ones assembled. Look for `failureIn` first.
 * @param where names the model and its server, for messages.
 * @throws TracemillError `model-failed`, naming the field, for what is no answer.
 */
export function readAnswer(protocol: ModelProtocol, body: unknown, where: string): ModelAnswer {
  return readers[protocol](body, where);
}

/** Ways to say that the server gave up in the middle: the answer is not the model's whole answer. */
const brokenOff: ReadonlySet<unknown> = new Set(["abort", "aborted", "error"]);

/** Statuses with which the Responses API ends an answer that is none. */
const failedStatuses: ReadonlySet<unknown> = new Set(["failed", "cancelled", "in_progress", "queued"]);

/**
 * What a body of status 200 says of a failure, in the provider's words: routers answer so when the server behind them
 * failed, and servers when they broke an answer off. `undefined` for an answer.
 */
export function failureIn(protocol: ModelProtocol, body: unknown): string | undefined {
  const { error, status, choices, type } = fieldsOf(body);
  const [choice] = fieldsList(choices);
  if (protocol === "chat-completions" && brokenOff.has(choice?.finish_reason))
    return "the server broke the answer off";
  if (protocol === "responses" && failedStatuses.has(status)) {
    return errorText(error) ?? `the response is ${String(status)}`;
  }
  const isError = type === "error" || (choices === undefined && error !== undefined && error !== null);
  return isError ? (errorText(error) ?? "the server answered an error") : undefined;
}

function errorText(error: unknown): string | undefined {
  const { message, code, type } = fieldsOf(error);
  return textIn(error) || textIn(message) || textIn(code) || textIn(type) || undefined;
}
