/**
 * A tag of an environment's job definition (`sandbox: job`): the revision of the stage's base definition that it was
 * made from. Another deployment of the stage has another one, and its worker image, sizes and roles are in there.
 */
export const baseRevisionTag = "tracemill:base-revision";

/** Whether a definition was made from this very revision of the base. */
export function isMadeFrom(
  made: { tags?: Record<string, string> | undefined } | undefined,
  base: { revision?: number | undefined },
): boolean {
  return base.revision !== undefined && made?.tags?.[baseRevisionTag] === String(base.revision);
}
