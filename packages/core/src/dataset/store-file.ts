import { createHash } from "node:crypto";
import { TracemillError } from "../errors.ts";
import type { ObjectStore } from "../ports/object-store.ts";

export interface StoredFile {
  sha256: string;
  bytes: number;
}

/**
 * Stores a body unless the key is there, and describes what is stored. An object that an interrupted export
 * left is described as it stands, and `body` is then not read.
 */
export async function storeFile(
  key: string,
  body: AsyncIterable<Uint8Array>,
  objects: Pick<ObjectStore, "get" | "head" | "putIfAbsent">,
): Promise<StoredFile & { wasThere: boolean }> {
  if ((await objects.head(key)) === undefined) {
    const hash = createHash("sha256");
    let bytes = 0;
    const counted = async function* () {
      for await (const chunk of body) {
        hash.update(chunk);
        bytes += chunk.byteLength;
        yield chunk;
      }
    };
    const { created } = await objects.putIfAbsent(key, counted());
    if (created) return { sha256: hash.digest("hex"), bytes, wasThere: false };
  }
  return { ...(await describe(key, objects)), wasThere: true };
}

async function describe(key: string, objects: Pick<ObjectStore, "get">): Promise<StoredFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  const stored = await objects.get(key);
  if (stored === undefined) {
    throw new TracemillError("conflict", `${key}: deleted while it was exported; run the same command again`);
  }
  for await (const chunk of stored) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return { sha256: hash.digest("hex"), bytes };
}
