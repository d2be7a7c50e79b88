import { expect, test } from "vitest";
import { logText } from "./log-text.ts";

test.each([
  ["plain text stays as it is", "Killed", "Killed"],
  [
    "a worker's line says what and whom",
    '{"time":"2026-01-01","level":"info","type":"attempt-ended","runId":"run_A","trialId":"trl_1","seconds":3}',
    "attempt-ended trialId=trl_1 seconds=3",
  ],
  [
    "a warning is loud, and what a logger always adds is left out",
    '{"level":"WARN","message":"time is short","service":"tracemill","cold_start":true,"left":{"ms":5}}',
    'WARN time is short left={"ms":5}',
  ],
  ["half a line is no error", '{"level":', '{"level":'],
])("%s", (_, message, text) => {
  expect(logText(message)).toBe(text);
});
