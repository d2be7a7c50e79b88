/** What every line of a function or a worker has, and nobody reads. */
const unread = new Set([
  "timestamp",
  "time",
  "level",
  "message",
  "type",
  "service",
  "cold_start",
  "function_arn",
  "function_memory_size",
  "function_name",
  "function_request_id",
  "sampling_rate",
  "xray_trace_id",
  "runId",
  "_aws",
]);

/** A log line for people: JSON ones as what they say and then what they name, others as they are. */
export function logText(message: string): string {
  const fields = jsonOf(message);
  if (fields === undefined) return message;
  const { level, message: said, type } = fields;
  const loud =
    typeof level === "string" && /^(warn|error|critical)/i.test(level) ? `${level.toUpperCase()} ` : "";
  const head = [said, type].find((part) => typeof part === "string") ?? "";
  const rest = Object.entries(fields)
    .filter(([key, value]) => !unread.has(key) && value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [`${loud}${String(head)}`, ...rest].join(" ").trim();
}

function jsonOf(message: string): Record<string, unknown> | undefined {
  if (!message.startsWith("{")) return undefined;
  try {
    return JSON.parse(message) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
