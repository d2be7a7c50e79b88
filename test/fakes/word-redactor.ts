import type { Redactor } from "@tracemill/core/redact/redactor.ts";

/** Takes one word out of everything, and counts how often it was asked. */
export function wordRedactor(word: string): Redactor & { asked: number } {
  const counts: Record<string, number> = {};
  const redactor = {
    asked: 0,
    counts,
    text: (value: string): string => {
      const parts = value.split(word);
      if (parts.length > 1) counts.word = (counts.word ?? 0) + parts.length - 1;
      return parts.join("[REDACTED:word]");
    },
    json: <T>(value: T): T => {
      redactor.asked += 1;
      const text = JSON.stringify(value);
      return text.includes(word) ? (JSON.parse(redactor.text(text)) as T) : value;
    },
    headers: () => ({}),
    addSecret: () => undefined,
  };
  return redactor;
}
