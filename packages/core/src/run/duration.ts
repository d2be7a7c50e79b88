import * as z from "zod";

const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `1.5h`, `2d`, `500ms`, or a bare number of seconds; parsed to milliseconds. */
export const Duration = z.union([z.number().positive(), z.string()]).transform((value, context) => {
  if (typeof value === "number") return Math.round(value * 1_000);
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value.trim());
  const factor = units[match?.[2] ?? ""];
  const amount = Number(match?.[1]) * (factor ?? 0);
  if (factor !== undefined && amount > 0) return Math.round(amount);
  context.addIssue({
    code: "custom",
    message: `wants a duration such as 90s, 15m or 1.5h, not ${JSON.stringify(value)}`,
  });
  return z.NEVER;
});

/** Milliseconds for people: `850 ms`, `12.3 s`, `4 m 05 s`, `2 h 10 m`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}
