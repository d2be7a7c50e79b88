import * as z from "zod";

/** What ECS tells a container about itself. */
const Metadata = z.looseObject({
  LogOptions: z.looseObject({ "awslogs-stream": z.string().optional() }).optional(),
});

/** The answer comes from the same machine. */
const patienceMs = 2_000;

/**
 * The CloudWatch stream that this container writes to, so that the shard's row leads to its log. It is only a help:
 * `undefined` outside of ECS, or when ECS does not answer.
 */
export async function logStreamOf(
  metadataUrl: string | undefined,
  { fetch }: { fetch: typeof globalThis.fetch },
): Promise<string | undefined> {
  if (metadataUrl === undefined) return undefined;
  try {
    const answer = await fetch(metadataUrl, { signal: AbortSignal.timeout(patienceMs) });
    return Metadata.parse(await answer.json()).LogOptions?.["awslogs-stream"];
  } catch {
    return undefined;
  }
}
