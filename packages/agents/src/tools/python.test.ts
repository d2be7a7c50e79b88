import { afterAll, describe, expect, test } from "vitest";
import { liveTools, noSandbox, removeHome } from "../../../../test/fakes/live-tools.ts";

afterAll(removeHome);

interface Answer {
  stdout: string;
  stderr: string;
  result: string | null;
}

async function interpreter(session: Parameters<typeof liveTools>[0] = {}) {
  const tools = await liveTools(session);
  return {
    ...tools,
    python: async (code: string): Promise<Answer> =>
      JSON.parse(await tools.call("execute_python", { code })) as Answer,
  };
}

const title = noSandbox === undefined ? "python in a sandbox" : `python in a sandbox (skipped: ${noSandbox})`;

describe.skipIf(noSandbox !== undefined)(title, () => {
  test("keeps names, imports and functions from call to call", async () => {
    await using tools = await interpreter();
    expect(await tools.python("import math\ndef area(r):\n    return math.pi * r ** 2\nradius = 2")).toEqual({
      stdout: "",
      stderr: "",
      result: null,
    });
    expect((await tools.python("round(area(radius), 2)")).result).toBe("12.57");
    expect((await tools.python("import pickle\nlen(pickle.dumps(area)) > 0")).result).toBe("True");
  });

  test("answers with what was printed and the value of the last expression", async () => {
    await using tools = await interpreter();
    expect(
      await tools.python("import sys\nprint('out', 'ü🎉')\nprint('err', file=sys.stderr)\n'a' * 3"),
    ).toEqual({
      stdout: "out ü🎉\n",
      stderr: "err\n",
      result: "'aaa'",
    });
  });

  test.each([
    ["an exception", "1 / 0", "ZeroDivisionError: division by zero"],
    ["an error of syntax", "def (", "SyntaxError"],
    ["an exit", "import sys\nsys.exit(3)", "SystemExit: 3"],
    [
      "a value that cannot be shown",
      "class A:\n    def __repr__(self): raise ValueError('no')\nA()",
      "ValueError: no",
    ],
    ["a read from its input", "input()", "EOFError"],
  ])("says so after %s, and lives on", async (_what, code, message) => {
    await using tools = await interpreter();
    await tools.python("kept = 7");
    expect((await tools.python(code)).stderr).toContain(message);
    expect((await tools.python("kept")).result).toBe("7");
  });

  test.each([
    ["os.write", "import os\nos.write(1, b'raw\\n')\nNone", "raw\n"],
    ["a subprocess", "import subprocess\nsubprocess.run(['echo', 'child'])\nNone", "child\n"],
    ["a shell", "import os\nprint('first')\n_ = os.system('echo second; cat')", "first\nsecond\n"],
    ["bytes that are no text", "import os\n_ = os.write(1, b'\\xff')", "\ufffd"],
    ["half a surrogate pair", "print('\\ud800')", "\\ud800\n"],
  ])("takes output past Python's own streams as output: %s", async (_what, code, stdout) => {
    await using tools = await interpreter();
    expect(await tools.python(code)).toMatchObject({ stdout, stderr: "" });
    expect((await tools.python("1 + 1")).result).toBe("2");
  });

  test.each([
    ["replaces", "import sys\nsys.stdout = None"],
    ["closes", "import sys, os\nsys.stdout.close()\nos.close(1)\nos.close(2)"],
    ["redirects", "import os\nos.dup2(os.open('/dev/null', os.O_WRONLY), 1)"],
  ])("speaks again after code that %s its output", async (_what, code) => {
    await using tools = await interpreter();
    await tools.python(code);
    expect(await tools.python("print('here')")).toMatchObject({ stdout: "here\n", stderr: "" });
  });

  test("answers once when the code forks", async () => {
    await using tools = await interpreter();
    await tools.python("import os\npid = os.fork()");
    expect((await tools.python("os.waitpid(pid, 0)[1]")).result).toBe("0");
    expect((await tools.python("'still one'")).result).toBe("'still one'");
  });

  test("cuts long output and says how much is missing", async () => {
    await using tools = await interpreter();
    const { stdout, stderr, result } = await tools.python(
      "import os, sys\nprint('x' * 1_000_000)\nos.write(2, b'y' * 70_000)\n'z' * 100_000",
    );
    expect(stdout.endsWith("x\n[… 934465 bytes dropped …]")).toBe(true);
    expect(stderr).toContain("[… 4464 bytes dropped …]");
    expect(result).toContain("characters dropped …]");
    expect((await tools.python("1")).stdout).toBe("");
  });

  test("starts anew after an interpreter that died, and says that names are lost", async () => {
    await using tools = await interpreter();
    await tools.python("kept = 7");
    expect((await tools.python("import os\nos._exit(3)")).stderr).toContain("names are lost");
    expect((await tools.python("kept")).stderr).toContain("NameError");
  });

  test("gives up on code that hangs, and ends what it started", async () => {
    await using tools = await interpreter({ timeoutMs: 1_500 });
    const hangs = "import subprocess\nsubprocess.run(['sleep', '7654'])";
    expect((await tools.python(hangs)).stderr).toContain("no answer in 1.5 s");
    expect((await tools.python("2")).result).toBe("2");
    expect(await tools.call("bash", { command: "pgrep -fx 'sleep 7654' || echo none" })).toContain("none");
  });

  test("stops with the attempt", async () => {
    const stopping = new AbortController();
    await using tools = await interpreter({ signal: stopping.signal });
    await tools.python("1");
    const hanging = tools.python("while True: pass");
    stopping.abort();
    expect((await hanging).stderr).toContain("the interpreter ended");
  });

  test("is not flooded by code that finds the pipe for answers", async () => {
    await using tools = await interpreter();
    const floods = [
      "import os, select",
      "pipes = [fd for fd in range(3, 20) if os.path.exists(f'/proc/self/fd/{fd}')]",
      "while True:",
      "    for fd in select.select([], pipes, [])[1]: os.write(fd, b'x' * 4096)",
    ].join("\n");
    expect((await tools.python(floods)).stderr).toContain("the interpreter ended");
    expect((await tools.python("3")).result).toBe("3");
  });

  test("tells a model what the arguments are", async () => {
    await using tools = await liveTools();
    expect(await tools.call("execute_python", { cell: "1" })).toBe(
      "error: execute_python wants {code: string}",
    );
  });
});
