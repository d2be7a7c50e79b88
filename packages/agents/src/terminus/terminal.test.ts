import { afterAll, describe, expect, test } from "vitest";
import { fastClock } from "../../../../test/fakes/fast-clock.ts";
import { execResult, inProcessSandboxes } from "../../../../test/fakes/in-process-sandbox.ts";
import { liveTools, noSandbox, removeHome } from "../../../../test/fakes/live-tools.ts";
import { openTerminal } from "./terminal.ts";

const tools = noSandbox === undefined ? await liveTools() : undefined;

afterAll(async () => {
  await tools?.[Symbol.asyncDispose]();
  await removeHome();
});

const signal = new AbortController().signal;
const clock = fastClock(1);

/** A terminal in the sandbox; `see` types, waits, and gives what is new. */
async function opened({ cols = 80, rows = 24 } = {}) {
  const { sandbox } = tools ?? (await liveTools());
  const terminal = await openTerminal(sandbox, { cols, rows }, { clock, signal });
  terminal.look();
  return {
    sandbox,
    terminal,
    see: async (keystrokes: string, ms = 5_000, until: "prompt" | "time" = "prompt") => {
      await terminal.type(keystrokes);
      await terminal.wait(ms, until, signal);
      return terminal.look();
    },
    /** Looks until it sees this; typing nothing. */
    until: async (pattern: RegExp) => {
      for (let tries = 0; tries < 100 && !pattern.test(terminal.text()); tries += 1)
        await terminal.wait(50, "time", signal);
      expect(terminal.text()).toMatch(pattern);
    },
    [Symbol.asyncDispose]: () => terminal.close(),
  };
}

const title =
  noSandbox === undefined ? "a terminal in a sandbox" : `a terminal in a sandbox (skipped: ${noSandbox})`;

describe.skipIf(noSandbox !== undefined)(title, () => {
  test("is a shell in the working directory, of the size that was asked for", async () => {
    await using at = await opened({ cols: 100, rows: 30 });
    const { kind, text } = await at.see("pwd; stty size; echo $TERM; tput cols\n");
    expect(kind).toBe("new");
    expect(text).toContain("\n/app\n30 100\nxterm-256color\n100\n");
    expect((await at.see("cd /tmp; X=7\n")).kind).toBe("new");
    expect((await at.see("echo $PWD $X\n")).text).toContain("\n/tmp 7\n");
  });

  test("waits until a command has ended, whatever it is typed with", async () => {
    await using at = await opened();
    const begun = Date.now();
    const { text } = await at.see("sleep 0.4\nfor i in 1 2; do\n sleep 0.3; echo r$i\ndone\n", 60_000);
    expect(text).toContain("r1\nr2\n");
    expect(Date.now() - begun).toBeLessThan(30_000);
  });

  test("is not held by a command that never ends, and stops it by C-c", async () => {
    await using at = await opened();
    expect((await at.see("sleep 1000; echo ended\n", 300)).text).not.toContain("\nended");
    expect((await at.see("C-c")).text).toContain("^C");
    expect((await at.see("echo $?\n")).text).toContain("\n130\n");
  });

  test("gives the beginning and the end of long output", async () => {
    await using at = await opened();
    const { kind, text } = await at.see("seq 200000\n", 30_000);
    expect(kind).toBe("new");
    expect(text).toMatch(/seq 200000\n1\n2\n3\n[\s\S]*bytes left out[\s\S]*\n199999\n200000\n/);
    expect(Buffer.byteLength(text)).toBeLessThan(10_200);
  });

  test("works with an interpreter", async () => {
    await using at = await opened();
    await at.see("python3 -q\n", 300);
    await at.until(/>>>$/);
    await at.see("for i in range(2):\n  print('n', i)\n\n", 300);
    await at.until(/n 0\nn 1\n>>>$/);
    await at.see("C-d");
    expect((await at.see("echo back\n")).text).toContain("\nback\n");
  });

  test("works with an editor, arrow keys and all, and shows the screen behind it again", async () => {
    await using at = await opened();
    await at.see("vi notes.txt\n", 300);
    await at.until(/notes\.txt/);
    await at.see("itwo\n", 100);
    await at.see("three", 100);
    await at.see("Escape", 200);
    await at.see("Up", 100);
    await at.see("Oone", 100);
    await at.see("Escape", 200);
    const left = await at.see(":wq\n");
    expect(left).toMatchObject({ kind: "screen", text: expect.stringContaining("vi notes.txt") });
    expect((await at.see("cat notes.txt\n")).text).toContain("\none\ntwo\nthree\n");
  });

  test("answers a prompt for a password", async () => {
    await using at = await opened();
    await at.see("read -s -p 'Password: ' word; echo; echo got ${#word}\n", 300);
    await at.until(/Password:$/);
    const { text } = await at.see("hunter2\n");
    expect(text).toContain("got 7");
    expect(text).not.toContain("hunter2");
  });

  test("pastes files of any length, line for line", async () => {
    await using at = await opened();
    const lines = Array.from({ length: 2_000 }, (_, index) => `line ${index} é漢字 "quoted" $HOME`);
    await at.see(`cat > long.txt <<'END'\n${lines.join("\n")}\nEND\n`, 30_000);
    const written = await at.sandbox.readFile("/app/long.txt");
    expect(Buffer.from(written ?? "").toString()).toBe(`${lines.join("\n")}\n`);
  });

  test("shows characters of any width", async () => {
    await using at = await opened();
    expect((await at.see("echo '漢字 é ñ → ✓'\n")).text).toContain("\n漢字 é ñ → ✓\n");
  });

  test("says with what its shell ended", async () => {
    await using at = await opened();
    await at.see("exit 4\n");
    expect(at.terminal.ended).toBe(4);
    await at.terminal.type("ls\n");
  });

  test("has the PATH that the environment sets, and none of its marks in programs' environment", async () => {
    await using at = await opened();
    const own = (await at.sandbox.exec(["/bin/sh", "-c", "echo $PATH"])).stdout.trim();
    expect((await at.see("echo $PATH\n")).text).toContain(`\n${own}\n`);
    expect((await at.see("env | grep -c PROMPT_COMMAND\n")).text).toContain("\n0\n");
  });
});

test("an environment without `script` and Python is named as what it lacks", async () => {
  const bare = await inProcessSandboxes({ exec: () => execResult() }).create({
    environment: { files: [], env: {}, buildTimeoutSec: 60 },
    limits: {},
    network: "none",
    label: "bare",
  });
  const start = async () => ({
    write: async () => undefined,
    stdout: (async function* () {})(),
    exited: Promise.resolve(97),
    kill: () => undefined,
  });
  const opening = openTerminal(Object.assign(bare, { start }), { cols: 80, rows: 24 }, { clock, signal });
  await expect(opening).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("neither `script` of util-linux nor `python3`"),
  });
});
