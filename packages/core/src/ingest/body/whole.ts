import { messageOf, TracemillError } from "../../errors.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { isObject, parsePlain } from "../json.ts";
import { parseArtifactReference, readArtifact, VALUE_TYPE } from "./artifact.ts";

/** Bytes of JSON that one record may bring back into memory; as objects they take several times as much. */
export const MOST_RESTORED = 256 * 1024 * 1024;

/** Whether anything in a value was moved out of it, so that `restoreValues` has something to do. */
export function hasMovedValues(value: unknown): boolean {
  if (typeof value === "string") return isMoved(value);
  if (typeof value !== "object" || value === null) return false;
  return "moved_fields" in value || Object.values(value).some(hasMovedValues);
}

/**
 * A task or solution with the values that were too long for its row back in their places. References to what was
 * embedded as a data URL stay.
 * @param where the value is, for messages.
 * @throws TracemillError `unsupported` when that is more than `MOST_RESTORED`; `not-found`, `storage-corrupt`.
 */
export async function restoreValues(
  value: unknown,
  objects: Pick<ObjectStore, "get">,
  where: string,
): Promise<unknown> {
  return restore(value, { objects, where, left: MOST_RESTORED });
}

interface Restoring {
  objects: Pick<ObjectStore, "get">;
  where: string;
  /** Bytes that may still be read. */
  left: number;
}

async function restore(value: unknown, state: Restoring): Promise<unknown> {
  if (typeof value === "string") {
    return isMoved(value) ? restore(await readValue(value, state), state) : value;
  }
  // Most of a long value holds nothing moved: it is kept as it is rather than copied.
  if (!hasMovedValues(value)) return value;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const item of value) items.push(await restore(item, state));
    return items;
  }
  const { moved_fields: moved, ...fields } = value as Record<string, unknown>;
  const whole: [string, unknown][] = [];
  for (const [key, field] of Object.entries({ ...fields, ...(isObject(moved) && moved) })) {
    whole.push([key, await restore(field, state)]);
  }
  // Not by assignment, which takes a key named `__proto__` for something else.
  return Object.fromEntries(whole);
}

async function readValue(reference: string, state: Restoring): Promise<unknown> {
  const { body } = await readArtifact(state.objects, reference);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    state.left -= chunk.byteLength;
    if (state.left < 0) {
      throw new TracemillError(
        "unsupported",
        `${state.where} holds more than ${MOST_RESTORED / 1024 ** 2} MiB of text, too much to be read back at once`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  try {
    return parsePlain(text + decoder.decode());
  } catch (error) {
    throw new TracemillError("storage-corrupt", `${reference} is not whole JSON (${messageOf(error)})`, {
      cause: error,
    });
  }
}

function isMoved(text: string): boolean {
  return text.startsWith("artifact:") && parseArtifactReference(text)?.mediaType === VALUE_TYPE;
}
