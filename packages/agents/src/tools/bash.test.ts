import { afterAll, describe, expect, test } from "vitest";
import { liveTools, noSandbox, removeHome } from "../../../../test/fakes/live-tools.ts";

afterAll(removeHome);

const title = noSandbox === undefined ? "bash in a sandbox" : `bash in a sandbox (skipped: ${noSandbox})`;

describe.skipIf(noSandbox !== undefined)(title, () => {
  test("runs a command line in the working directory", async () => {
    await using tools = await liveTools();
    expect(await tools.call("bash", { command: "pwd; echo hi | tr h H" })).toBe("/app\nHi\n");
    expect(await tools.call("bash", { command: "pwd", cwd: "/tmp" })).toBe("/tmp\n");
  });

  test("keeps what commands did to files from call to call", async () => {
    await using tools = await liveTools();
    await tools.call("write_file", { path: "notes.txt", content: "first\n" });
    await tools.call("bash", { command: "echo second >> notes.txt" });
    expect(await tools.call("read_file", { path: "notes.txt" })).toBe("first\nsecond\n");
  });

  test("says with what a command failed", async () => {
    await using tools = await liveTools();
    expect(await tools.call("bash", { command: "echo no >&2; exit 3" })).toBe("no\n\n[exit code 3]");
  });

  test("takes a program with its arguments as it is, quotes and all", async () => {
    await using tools = await liveTools();
    expect(await tools.call("shell", { command: ["bash", "-lc", "cd /tmp && pwd"] })).toBe("/tmp\n");
    expect(await tools.call("shell", { command: ["printf", "%s|", "a b", "$HOME"] })).toBe("a b|$HOME|");
    expect(await tools.call("shell", { command: ["no-such-program"] })).toContain("[exit code 127]");
  });

  test("keeps the first and the last part of long output", async () => {
    await using tools = await liveTools();
    const output = await tools.call("bash", { command: "seq 1 100000" });
    expect(output.startsWith("1\n2\n")).toBe(true);
    expect(output.endsWith("99999\n100000\n")).toBe(true);
    expect(output).toContain("bytes dropped");
    expect(output.length).toBeLessThan(70_000);
  });

  test("gives up on a command that hangs, with its output so far", async () => {
    await using tools = await liveTools({ timeoutMs: 1_000 });
    expect(await tools.call("bash", { command: "echo begun; sleep 7654" })).toBe(
      "begun\n\n[timed out after 1 s]",
    );
  });

  test("does not wait for what a command leaves in the background", async () => {
    await using tools = await liveTools();
    expect(await tools.call("bash", { command: "sleep 7654 & echo done" })).toBe("done\n");
  });

  test("tells a model what the arguments are", async () => {
    await using tools = await liveTools();
    expect(await tools.call("bash", { command: 3 })).toBe("error: bash wants {command: string}");
    expect(await tools.call("bash", { command: [] })).toBe("error: bash wants {command: string}");
  });
});
