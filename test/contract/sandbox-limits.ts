import { expect, test } from "vitest";
import type { OpenSandbox } from "./open-sandbox.ts";

const mib = 1024 * 1024;

/** What a greedy command gets. `cgroups`: whether limits hold for the sandbox as a whole. */
export function sandboxLimits(open: OpenSandbox, cgroups: boolean): void {
  test("a command that wants too much memory is killed, and the sandbox goes on", async () => {
    await using sandbox = await open({ limits: { memoryBytes: 64 * mib, pids: 50 } });
    const greedy = ["python3", "-c", "x = bytearray(256 * 1024 * 1024); print(len(x))"];
    const { exitCode, stdout } = await sandbox.exec(greedy);
    expect({ exitCode, stdout }).toEqual({ exitCode: cgroups ? 137 : 1, stdout: "" });
    expect((await sandbox.exec(["true"])).exitCode).toBe(0);
  });

  test("a fork bomb meets its limit, and ends with the sandbox", async () => {
    await using sandbox = await open({ limits: { pids: 40, memoryBytes: 512 * mib } });
    const bomb = "f() { f | f & }; f 2>/dev/null; sleep 0.3; echo survived";
    const result = await sandbox.exec(["/bin/bash", "-c", bomb], {
      timeoutMs: 2_000,
      maxOutputBytes: 10_000,
    });
    expect(result.durationMs).toBeLessThan(10_000);
  });

  test("no file grows beyond its limit", async () => {
    await using sandbox = await open({ limits: { fileBytes: 5 * mib } });
    const { exitCode } = await sandbox.exec(["/bin/sh", "-c", "exec yes > /app/file"]);
    expect(exitCode).toBe(153);
    expect((await sandbox.exec(["stat", "-c", "%s", "/app/file"])).stdout).toBe(`${5 * mib}\n`);
  });

  test("output without end is dropped, not stored", async () => {
    await using sandbox = await open();
    const result = await sandbox.exec(["yes"], { timeoutMs: 400, maxOutputBytes: 1_000 });
    expect(result).toMatchObject({ timedOut: true, truncated: true });
    expect(result.stdout.length).toBeLessThan(1_100);
  });

  test.runIf(cgroups)("half a core is half a core", async () => {
    await using sandbox = await open({ limits: { cpus: 0.5 } });
    const busy =
      "import time\nend = time.time() + 0.6\nwhile time.time() < end: pass\nprint(time.process_time())";
    const { stdout } = await sandbox.exec(["python3", "-c", busy]);
    expect(Number(stdout)).toBeLessThan(0.5);
  });
}
