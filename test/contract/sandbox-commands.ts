import { expect, test } from "vitest";
import type { OpenSandbox } from "./open-sandbox.ts";
import { textIn } from "./open-sandbox.ts";

/** How commands run in every sandbox. */
export function sandboxCommands(open: OpenSandbox): void {
  commandResults(open);
  commandEnvironment(open);
  commandEnds(open);
  standingProcesses(open);
}

function commandResults(open: OpenSandbox): void {
  test("a command's output, errors and exit code come back", async () => {
    await using sandbox = await open();
    const result = await sandbox.exec(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect(result).toMatchObject({
      exitCode: 7,
      stdout: "out\n",
      stderr: "err\n",
      timedOut: false,
      truncated: false,
    });
  });

  test("a command gets its arguments and input as they are, whatever is in them", async () => {
    await using sandbox = await open();
    const odd = ["a b", "'\"$HOME`", "", "line\nbreak", "ü€😀", "--help", "-x"];
    const shown = await sandbox.exec(["/usr/bin/printf", "%s|", ...odd]);
    expect(shown.stdout).toBe(odd.map((word) => `${word}|`).join(""));
    const copied = await sandbox.exec(["/bin/cat"], { stdin: "in\0put\n" });
    expect(copied.stdout).toBe("in\0put\n");
  });

  test("a command that does not exist, or that nobody may execute, is a result and not an error", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([{ path: "/app/plain", content: "text", mode: 0o644 }]);
    expect(await sandbox.exec(["no-such-command"])).toMatchObject({ exitCode: 127 });
    expect(await sandbox.exec(["/app/plain"])).toMatchObject({ exitCode: 126 });
    expect(await sandbox.exec(["true"], { cwd: "/no/such/folder" })).toMatchObject({
      exitCode: 126,
      stderr: expect.stringContaining("/no/such/folder"),
    });
  });

  test("long output keeps its beginning and its end, in whole characters", async () => {
    await using sandbox = await open();
    const script = "echo first; yes ü | head -n 20000 | tr -d '\\n'; echo; echo last";
    const result = await sandbox.exec(["/bin/sh", "-c", script], { maxOutputBytes: 1001 });
    expect(result.truncated).toBe(true);
    expect(result.stdout).toMatch(/^first\nü+\n\[… \d+ bytes dropped …\]\nü+\nlast\n$/);
    expect(Buffer.byteLength(result.stdout)).toBeLessThan(1100);
  });

  test("a command that reads no input ends all the same", async () => {
    await using sandbox = await open();
    const result = await sandbox.exec(["true"], { stdin: Buffer.alloc(1_000_000) });
    expect(result.exitCode).toBe(0);
  });
}

function commandEnvironment(open: OpenSandbox): void {
  test("a command sees the environment's variables and its own, and none of this process", async () => {
    await using sandbox = await open({ environment: { env: { ONE: "1", TWO: "environment" } } });
    const { stdout } = await sandbox.exec(["env"], { env: { TWO: "a command's own" } });
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(stdout).toContain("ONE=1\n");
    expect(stdout).toContain("TWO=a command's own\n");
    expect(names.toSorted()).toEqual(["HOME", "ONE", "PATH", "TWO"]);
  });

  test("a command runs in the working directory, or where it is told to", async () => {
    await using sandbox = await open({ environment: { workdir: "/made/for/this" } });
    expect((await sandbox.exec(["pwd"])).stdout).toBe("/made/for/this\n");
    expect((await sandbox.exec(["pwd"], { cwd: "/tmp" })).stdout).toBe("/tmp\n");
  });

  test("a command is root, and may write to the folders of the system", async () => {
    await using sandbox = await open();
    const script = "id -u; echo x > /etc/made; mkdir /usr/local/made && touch /usr/bin/made && echo made";
    expect((await sandbox.exec(["/bin/sh", "-c", script])).stdout).toBe("0\nmade\n");
  });

  test("files written from outside and by commands are the same files", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([
      { path: "/app/run.sh", content: "#!/bin/sh\necho ran > /app/out\n", mode: 0o755 },
    ]);
    expect((await sandbox.exec(["/app/run.sh"])).exitCode).toBe(0);
    expect(await textIn(sandbox, "/app/out")).toBe("ran\n");
    await sandbox.remove(["/app/out"]);
    expect((await sandbox.exec(["cat", "/app/out"])).exitCode).toBe(1);
  });

  test("there are the usual devices and folders", async () => {
    await using sandbox = await open();
    const script = `echo x > /dev/null && head -c4 /dev/urandom | wc -c && echo y > /dev/shm/y && echo z | tee /dev/stderr
      test -w /tmp && test -w /var/tmp && test -d /root && test -d /logs/verifier && test -e /proc/self/status`;
    const result = await sandbox.exec(["/bin/sh", "-c", script]);
    expect(result).toMatchObject({ exitCode: 0, stdout: "4\nz\n", stderr: "z\n" });
  });
}

function commandEnds(open: OpenSandbox): void {
  test("a command that runs too long is killed with all its children; the sandbox goes on", async () => {
    await using sandbox = await open();
    const script = "echo begun; (setsid sleep 1000 &) ; sh -c 'sleep 1000; true' & sleep 1000";
    const result = await sandbox.exec(["/bin/sh", "-c", script], { timeoutMs: 300 });
    expect(result).toMatchObject({ exitCode: 137, timedOut: true, stdout: "begun\n" });
    const left = await sandbox.exec(["/bin/sh", "-c", "ps ax | grep -c '[s]leep 1000; true' || :"]);
    expect(left.stdout).toBe("0\n");
  });

  test("a command killed by a signal has exit code 128 + signal", async () => {
    await using sandbox = await open();
    expect(await sandbox.exec(["/bin/sh", "-c", "kill -TERM $$"])).toMatchObject({
      exitCode: 143,
      timedOut: false,
    });
  });

  test("an aborted command ends at once", async () => {
    await using sandbox = await open();
    const stop = new AbortController();
    const running = sandbox.exec(["sleep", "1000"], { signal: stop.signal });
    setTimeout(() => stop.abort(), 100);
    expect(await running).toMatchObject({ exitCode: 137, timedOut: false });
    expect(await sandbox.exec(["true"], { signal: AbortSignal.abort() })).toMatchObject({ exitCode: 137 });
  });

  test("a process left in the background lives on, and does not hold up its command", async () => {
    await using sandbox = await open();
    const script = "(while :; do date +%s%N > /app/beat; sleep 0.02; echo noise; done) & echo started";
    expect(await sandbox.exec(["/bin/sh", "-c", script])).toMatchObject({ exitCode: 0 });
    const first = await textIn(sandbox, "/app/beat");
    await sandbox.exec(["sleep", "0.2"]);
    expect(await textIn(sandbox, "/app/beat")).not.toBe(first);
  });

  test("several commands run at once", async () => {
    await using sandbox = await open();
    const all = await Promise.all(
      [1, 2, 3, 4].map((n) => sandbox.exec(["/bin/sh", "-c", `sleep 0.1; echo ${n}`])),
    );
    expect(all.map(({ stdout }) => stdout)).toEqual(["1\n", "2\n", "3\n", "4\n"]);
  });
}

function standingProcesses(open: OpenSandbox): void {
  test("a started process speaks over its pipes until it is killed", async () => {
    await using sandbox = await open();
    const process = await sandbox.start(
      ["/bin/sh", "-c", 'while read -r line; do echo "got $line in $PLACE"; done'],
      {
        env: { PLACE: "here" },
      },
    );
    const answers = process.stdout[Symbol.asyncIterator]();
    await process.write("one\n");
    expect(String((await answers.next()).value)).toBe("got one in here\n");
    await process.write("two\n");
    expect(String((await answers.next()).value)).toBe("got two in here\n");
    process.kill();
    expect(await process.exited).toBe(137);
  });

  test("closing the sandbox ends a started process and a running command", async () => {
    const sandbox = await open();
    const process = await sandbox.start(["sleep", "1000"]);
    const running = sandbox.exec(["sleep", "1000"]);
    const failed = expect(running).rejects.toMatchObject({ code: "sandbox-failed" });
    await sandbox.exec(["true"]);
    await sandbox.close();
    await failed;
    // Whoever waits for it may be killed first, and then has a code of its own.
    expect(await process.exited).toBeGreaterThan(0);
  });
}
