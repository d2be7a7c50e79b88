import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import type { PartialItemFailureResponse } from "@aws-lambda-powertools/batch/types";
import { IngestMessage } from "@tracemill/aws/pipeline/messages.ts";
import { messageOf, TracemillError } from "@tracemill/core/errors.ts";
import { parseAs } from "@tracemill/core/validation.ts";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import type { Deadline } from "../deadline.ts";
import { type MirrorDeps, mirrorSource } from "./mirror.ts";

/**
 * Works off messages of the ingest queue, one after the other.
 * @returns those that failed: the queue hands them out again, and in the end to its dead letters.
 */
export async function mirrorRecords(
  event: SQSEvent,
  deadline: Deadline,
  deps: MirrorDeps,
): Promise<PartialItemFailureResponse> {
  const work = async (record: SQSRecord): Promise<void> => {
    try {
      const message = readMessage(record);
      await mirrorSource({ ...message, firing: message.firing ?? record.messageId }, deadline, deps);
    } catch (error) {
      deps.log.error("a message of the ingest queue failed", {
        messageId: record.messageId,
        received: record.attributes.ApproximateReceiveCount,
        reason: messageOf(error),
      });
      throw error;
    }
  };
  return processPartialResponse(event, work, new BatchProcessor(EventType.SQS), {
    processInParallel: false,
    throwOnFullBatchFailure: false,
  });
}

function readMessage({ body, messageId }: SQSRecord): IngestMessage {
  const where = `message ${messageId} of the ingest queue`;
  try {
    return parseAs(IngestMessage, JSON.parse(body), where);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new TracemillError("invalid-input", `${where} is no JSON`, { cause: error });
  }
}
