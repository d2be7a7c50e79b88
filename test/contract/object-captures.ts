import type { CaptureStore } from "@tracemill/core/capture/capture-store.ts";
import { openObjectCaptures } from "@tracemill/core/capture/object-captures.ts";
import type { ObjectStore } from "@tracemill/core/ports/object-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import type { OpenedCaptures } from "./capture-store.ts";

/** Captures in an object store, each opened as another process would. */
export function objectCaptures(objects: ObjectStore): Pick<OpenedCaptures, "store" | "another"> {
  let writers = 0;
  const another = (): CaptureStore => {
    writers += 1;
    const writer = `W${String(writers).padStart(3, "0")}`;
    return openObjectCaptures({ objects, clock: systemClock, writer, onTrouble: () => {} });
  };
  return { store: another(), another };
}
