import { expect, test } from "vitest";
import { plantedSecrets, plantedText } from "../../../test/fakes/planted-secrets.ts";
import { jsonLog } from "./log.ts";

test("what an error quotes has no secrets in a job's log, and is cut behind them", () => {
  const secrets = plantedSecrets(1);
  const lines: string[] = [];
  const log = jsonLog(
    (line) => lines.push(line),
    () => 0,
  );
  const reason = `refused: ${plantedText(secrets)}`;
  log.error("job-ended", { reason, context: { stack: reason }, exitCode: 1 });
  expect(lines.join("")).toContain("[REDACTED:");
  for (const { value } of secrets) expect(lines.join("")).not.toContain(value);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ level: "error", message: "job-ended", exitCode: 1 });
});
