/** Lines of the failing step's output that a reason quotes. */
const quotedLines = 3;

/** What a registry or a network says when the same build may succeed later. */
const passing =
  /toomanyrequests|too many requests|\b429\b|i\/o timeout|TLS handshake timeout|connection reset|connection refused|no such host|temporary failure|\b50[234]\b|unexpected EOF|EOF$/i;

/** Whether a failed command of Docker may succeed later with nobody changing anything. */
export function mayPass(lines: readonly string[]): boolean {
  return lines.slice(-10).some((line) => passing.test(line) && !/did not complete successfully/.test(line));
}

/**
 * Why a build failed, out of Docker's output: what Docker says at its end, and what the failing step said last.
 * BuildKit repeats the step's output between ` > [2/3] RUN …` and a line of dashes; the older builder ends with it.
 */
export function failureIn(lines: readonly string[]): string {
  const said =
    lines.findLast((line) => /^ERROR: |^Error|returned a non-zero code/.test(line)) ?? lines.at(-1);
  if (said === undefined) return "docker said nothing";
  const output = stepOutput(lines).slice(-quotedLines);
  return [
    said.replace(/^ERROR: /, ""),
    ...(output.length === 0 ? [] : [`last output: ${output.join(" | ")}`]),
  ].join("; ");
}

function stepOutput(lines: readonly string[]): string[] {
  const start = lines.findLastIndex((line) => /^ > \[/.test(line));
  if (start >= 0) {
    const rest = lines.slice(start + 1);
    const end = rest.findIndex((line) => /^-{3,}$/.test(line));
    // BuildKit puts seconds before each line.
    return rest.slice(0, end === -1 ? undefined : end).map((line) => line.replace(/^\d+\.\d+ /, ""));
  }
  const end = lines.findLastIndex((line) => /returned a non-zero code/.test(line));
  if (end === -1) return [];
  const before = lines.slice(0, end);
  return before.slice(before.findLastIndex((line) => /^ ---> /.test(line)) + 1);
}
