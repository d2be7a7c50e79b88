import { layersAt } from "./layers.ts";
import { ownSettings } from "./script.ts";

/** What belongs to the running container and not to its image, and our own volume. */
export const notListed: readonly string[] = ["proc", "sys", "dev", "run", "tracemill"];

const entry = "%f|%s|%y|%z|%n";

const pruned = [...notListed.map((name) => `/${name}`), layersAt]
  .map((path) => `-path ${path} -prune -o`)
  .join(" ");

/**
 * Lists the box's whole file system: a line for each entry; a second one for a link, with its target; for a name that
 * holds a line break a line that begins with `!`, and then the name up to a NUL.
 */
export const listScript = `${ownSettings}
link='${entry}
%N'
broken='*
*'
slow='for path; do stat -c "!%f|%s|%y|%z" "$path" && printf "%s\\0" "$path"; done'
exec find / ${pruned} -path "$broken" -exec sh -c "$slow" sh {} + -o \\
  -type l -exec stat -c "$link" {} + -o -exec stat -c '${entry}' {} +
`;
