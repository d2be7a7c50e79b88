import { TracemillError } from "../../errors.ts";
import { objectKeys } from "../../keys.ts";
import type { ObjectStore } from "../../ports/object-store.ts";

/**
 * What stands in a row for something that lies in the store, as `artifact:<sha256>;<media type>`. The object
 * `objectKeys.artifact(sha256)` holds, by the type:
 *
 * - `application/json`: the JSON text of the value that stood there, which was too long for a row;
 * - any other: the bytes of the `data:<media type>;base64,…` URL that stood there.
 */
export interface ArtifactReference {
  /** Of the object's bytes, in hex. */
  sha256: string;
  /** With its parameters, spelled as the source did. */
  mediaType: string;
}

/** Media type of a moved JSON value. Data URLs of this type are no artifacts, so that the two cannot be mixed up. */
export const VALUE_TYPE = "application/json";

export function artifactReference({ sha256, mediaType }: ArtifactReference): string {
  return `artifact:${sha256};${mediaType}`;
}

/** `undefined` when the text is no such reference. */
export function parseArtifactReference(text: string): ArtifactReference | undefined {
  const [, sha256, mediaType] = /^artifact:([0-9a-f]{64});([^\s,"]+\/[^\s,"]+)$/.exec(text) ?? [];
  return sha256 === undefined || mediaType === undefined ? undefined : { sha256, mediaType };
}

/**
 * What a reference stands for, as a stream.
 * @throws TracemillError `invalid-input` for a text that is no reference; `not-found` when the store has no such object.
 */
export async function readArtifact(
  objects: Pick<ObjectStore, "get">,
  reference: string,
): Promise<{ mediaType: string; body: AsyncIterable<Uint8Array> }> {
  const parsed = parseArtifactReference(reference);
  if (parsed === undefined) {
    throw new TracemillError(
      "invalid-input",
      `\`${reference.slice(0, 100)}\` is no reference to an artifact; it wants \`artifact:<sha256>;<media type>\``,
    );
  }
  const body = await objects.get(objectKeys.artifact(parsed.sha256));
  if (body !== undefined) return { mediaType: parsed.mediaType, body };
  throw new TracemillError(
    "not-found",
    `artifact ${parsed.sha256} is not in the store; ingest the source again`,
  );
}
