import { type EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { TracemillError } from "@tracemill/core/errors.ts";
import { callService } from "./service-call.ts";

/** What Tracemill tells everybody in the account, on the default event bus. */
export interface PublishedEvent {
  /** EventBridge's `detail-type`. */
  type: "SnapshotCompleted";
  /** JSON: ids, never contents. */
  detail: Record<string, unknown>;
}

/** Events on EventBridge's default bus, with the source `tracemill`. Receivers get each at least once. */
export interface EventBus {
  /** @throws TracemillError `unauthorized`, `storage-failed` (retryable) when the bus did not take it. */
  publish(event: PublishedEvent): Promise<void>;
}

export function eventBridgeBus(client: EventBridgeClient): EventBus {
  return {
    async publish({ type, detail }) {
      const command = new PutEventsCommand({
        Entries: [{ Source: "tracemill", DetailType: type, Detail: JSON.stringify(detail) }],
      });
      const call = { doing: `publishing the event ${type}`, action: "events:PutEvents" };
      const { Entries = [] } = await callService(call, () => client.send(command));
      const refused = Entries.find(({ ErrorCode }) => ErrorCode !== undefined);
      if (refused === undefined) return;
      throw new TracemillError(
        "storage-failed",
        `event ${type}: EventBridge did not take it (${refused.ErrorCode}: ${refused.ErrorMessage ?? ""})`,
        { retryable: true },
      );
    },
  };
}
