import { mkdirSync, readdirSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { jobSandboxes } from "@tracemill/agents/sandbox/job/provider.ts";
import type { Sandbox, SandboxLayer, SandboxSpec } from "@tracemill/core/ports/sandbox.ts";
import { expect, test } from "vitest";
import { awsVariables, type ecsTasks } from "../fakes/ecs-task.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { changesIn, type OpenSandbox, specOf } from "./open-sandbox.ts";

type StartTask = ReturnType<typeof ecsTasks>["start"];

/** What a box keeps to, whatever runs in it. */
export function sandboxBoxes(open: OpenSandbox, start: StartTask): void {
  credentials(open);
  hostileBoxes(open);
  tasksOfBoxes(start);
  changesInBoxes(open);
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  const { stdout, stderr } = await sandbox.exec(["/bin/bash", "-c", script], { cwd: "/", timeoutMs: 20_000 });
  return stdout + stderr;
}

const withNetwork = (spec: Partial<SandboxSpec> = {}): SandboxSpec => ({
  ...specOf({}),
  network: "host",
  ...spec,
});

function credentials(open: OpenSandbox): void {
  test("nothing in a box tells the task's credentials", async () => {
    await using sandbox = await open();
    const variables = await sh(sandbox, "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'");
    expect(variables).toContain("PATH=");
    for (const [name, value] of Object.entries(awsVariables)) {
      expect(variables).not.toContain(name);
      expect(variables).not.toContain(value);
    }
    // In two parts, so that the search does not find itself.
    const [first, rest] = awsVariables.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.split("/credentials");
    expect(await sh(sandbox, `grep -rlF '${first}/credenti''als${rest}' /tracemill /tmp /etc`)).toBe("");
  });

  test("the image's own variables and working directory count", async () => {
    const dockerfile = 'FROM base\nENV NAME="of the image" TWO=2\nWORKDIR /srv/work\n';
    await using sandbox = await open({ environment: { dockerfile, env: { TWO: "the task's" } } });
    expect(await sh(sandbox, "echo $NAME $TWO")).toBe("of the image the task's\n");
    expect(sandbox.workdir).toBe("/srv/work");
  });
}

function hostileBoxes(open: OpenSandbox): void {
  test.each([
    ["links to the worker's files", "for f in *.out *.err *.in; do rm $f; ln -s /etc/hostname $f; done"],
    ["files", "for f in *.out *.err *.in; do rm $f; echo forged > $f; done"],
    ["another folder", "cd ..; mv r old; ln -s /etc r"],
  ])("streams replaced by %s are not used", async (_, script) => {
    await using sandbox = await open();
    await sh(sandbox, `cd /tracemill/r && ${script}`);
    // What is made anew lies where the box does not expect it; either way nothing false comes back.
    const next = sandbox.exec(["/bin/echo", "true words"], { timeoutMs: 500 });
    const result = await next.catch((error: unknown) => error);
    expect(result).toSatisfy(
      (seen: { code?: string; stdout?: string }) =>
        seen.code === "sandbox-failed" || seen.stdout === "" || seen.stdout === "true words\n",
    );
  });

  test("files on their way in cannot be led elsewhere", async () => {
    await using sandbox = await open();
    await using outside = await tempDir("tracemill-outside-");
    const swap = `cd /tracemill; while :; do for d in w*; do [ -d "$d" ] && mv "$d" old-$RANDOM && ln -s ${outside.path} "$d"; done; done`;
    const process = await sandbox.start(["/bin/bash", "-c", swap]);
    for (let round = 0; round < 30; round += 1)
      await sandbox.writeFiles([{ path: "/app/x", content: "x" }]).catch(() => undefined);
    process.kill();
    expect(readdirSync(outside.path)).toEqual([]);
  });

  test("a box that talks nonsense is given up, and nobody waits for it", async () => {
    await using sandbox = await open();
    const waiting = sandbox.exec(["sleep", "1000"]);
    const failed = expect(waiting).rejects.toMatchObject({ code: "sandbox-failed" });
    await sandbox.start(["/bin/sh", "-c", "exec yes 'done 999999 0' > /tracemill/replies"]);
    await failed;
  });

  test("a box whose first process is killed is a failure of the environment, at once", async () => {
    await using sandbox = await open();
    const waiting = sandbox.exec(["sleep", "1000"]);
    const failed = expect(waiting).rejects.toMatchObject({
      code: "sandbox-failed",
      retryable: true,
      message: expect.stringContaining("memory"),
    });
    await sandbox.start(["/bin/bash", "-c", "kill -9 $(pgrep -f 'sh /tracemill/box.sh')"]);
    await failed;
    await expect(sandbox.readFile("/app/x")).rejects.toMatchObject({ code: "sandbox-failed" });
  });

  test("who holds our streams open, or adds to them, does not hold us up", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([{ path: "/app/x", content: "text" }]);
    const hold = "cd /tracemill/r; for f in *.out; do exec {fd}<> $f; done 2> /dev/null; sleep 1000";
    await sandbox.start(["/bin/bash", "-c", hold]);
    await sleep(200);
    expect(String(await sandbox.readFile("/app/x"))).toBe("text");
    expect(await changesIn(sandbox)).toEqual(["directory app", "file app/x"]);
  });

  test("a command that stops its own shell, or swallows the requests, is given up when its time is over", async () => {
    await using sandbox = await open();
    await sandbox.start(["/bin/sh", "-c", "while :; do read -r line < /tracemill/requests; done"]);
    await sleep(100);
    const { exitCode, durationMs } = await sandbox.exec(["sleep", "1000"], { timeoutMs: 200 });
    expect(exitCode).toBe(137);
    expect(durationMs).toBeLessThan(10_000);
  });
}

function tasksOfBoxes(start: StartTask): void {
  test("each box serves one attempt, and when all are used the job can begin no more", async () => {
    const task = await start({}, 2);
    try {
      const provider = jobSandboxes({ dir: task.dir, environment: "e" });
      const first = await provider.create(withNetwork());
      await first.writeFiles([{ path: "/app/mine", content: "1" }]);
      expect(provider.spent.aborted).toBe(false);
      const second = await provider.create(withNetwork());
      expect(provider.spent.aborted).toBe(true);
      expect(await second.readFile("/app/mine")).toBeUndefined();
      await first.close();
      await expect(provider.create(withNetwork())).rejects.toMatchObject({ code: "cancelled" });
      expect((await second.exec(["echo", "still here"])).stdout).toBe("still here\n");
      expect(second.description).toMatchObject({ sandbox: "job", network: "host", environment: "e" });
      await second.close();
    } finally {
      await task.stop();
    }
  });

  test("a box that died before its turn is passed over", async () => {
    const task = await start({}, 3);
    try {
      const provider = jobSandboxes({ dir: task.dir, environment: "e" });
      await (await provider.create(withNetwork())).close();
      task.running[1]?.kill();
      await task.running[1]?.over;
      const sandbox = await provider.create(withNetwork());
      expect((await sandbox.exec(["pwd"])).stdout).toBe("/app\n");
      await sandbox.close();
      await expect(provider.create(withNetwork())).rejects.toMatchObject({ code: "cancelled" });
    } finally {
      await task.stop();
    }
  });

  test("a volume that was used is not used again", async () => {
    const task = await start();
    try {
      const first = await jobSandboxes({ dir: task.dir, environment: "e" }).create(withNetwork());
      const another = jobSandboxes({ dir: task.dir, environment: "e" });
      await expect(another.create(withNetwork())).rejects.toMatchObject({ code: "cancelled" });
      await first.close();
    } finally {
      await task.stop();
    }
  });

  test("a closed box ends its container", async () => {
    const task = await start();
    const [container] = task.running;
    const sandbox = await jobSandboxes({ dir: task.dir, environment: "e" }).create(withNetwork());
    await sandbox.start(["sleep", "1000"]);
    await sandbox.close();
    await container?.over;
    await expect(container?.container.exec(["true"])).rejects.toMatchObject({ code: "sandbox-failed" });
  });

  test("a box that does not start in time is named", async () => {
    const task = await start();
    try {
      const slow = join(task.dir, "slow");
      mkdirSync(join(slow, "0"), { recursive: true });
      const provider = jobSandboxes({ dir: slow, environment: "e", startTimeoutMs: 200 });
      await expect(provider.create(withNetwork())).rejects.toMatchObject({
        code: "sandbox-failed",
        retryable: true,
        message: expect.stringContaining("box 0 did not start"),
      });
    } finally {
      await task.stop();
    }
  });

  test("boxes of one task share their layers, and two versions cannot have one place", async () => {
    const task = await start({}, 2);
    await using one = await tempDir("tracemill-layer-");
    await using two = await tempDir("tracemill-layer-");
    await chmod(one.path, 0o755);
    await writeFile(join(one.path, "data"), "one");
    const layer: SandboxLayer = { id: "one", dir: one.path, path: "/opt/tracemill/a/1" };
    try {
      const { dir, layersDir } = task;
      const provider = jobSandboxes({ dir, layersDir, environment: "e" });
      const first = await provider.create(withNetwork({ layers: [layer] }));
      const refused = [
        [{ ...layer, id: "two", dir: two.path }, "unsupported"],
        [{ ...layer, id: "two", dir: two.path, path: "/opt/tracemill/a/1/below" }, "unsupported"],
        [{ ...layer, path: "/opt/elsewhere" }, "invalid-input"],
        [{ ...layer, path: "/opt/tracemill" }, "invalid-input"],
      ] as const;
      for (const [other, code] of refused)
        await expect(provider.create(withNetwork({ layers: [other] }))).rejects.toMatchObject({
          code,
          message: expect.stringContaining(other.path),
        });
      const second = await provider.create(withNetwork({ layers: [layer] }));
      for (const sandbox of [first, second]) {
        expect(await sh(sandbox, "cat /opt/tracemill/a/1/data")).toBe("one");
        expect(await changesIn(sandbox)).toEqual([]);
        await sandbox.close();
      }
      const without = jobSandboxes({ dir, environment: "e" });
      await expect(without.create(withNetwork({ layers: [layer] }))).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining("deploy"),
      });
    } finally {
      await task.stop();
    }
  });

  test("what a box cannot give is refused by name", async () => {
    const task = await start();
    try {
      const provider = jobSandboxes({ dir: task.dir, environment: "e" });
      await expect(provider.create(withNetwork({ network: "none" }))).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining("network"),
      });
      expect(await provider.doctor()).toMatchObject([
        { name: "boxes", status: "ok" },
        { name: "network", status: "warning" },
      ]);
      const nowhere = jobSandboxes({ dir: join(task.dir, "none"), environment: "e" });
      await expect(nowhere.create(withNetwork())).rejects.toMatchObject({ code: "sandbox-unavailable" });
      expect((await nowhere.doctor())[0]).toMatchObject({ status: "missing" });
    } finally {
      await task.stop();
    }
  });
}

function changesInBoxes(open: OpenSandbox): void {
  test("changes are those of one moment, though a process goes on writing; it lives on afterwards", async () => {
    await using sandbox = await open();
    const writer = "i=0; while :; do i=$((i+1)); echo $i >> /app/log; echo $i > /app/last; done";
    await sandbox.start(["/bin/bash", "-c", writer]);
    await sleep(200);
    expect(await changesIn(sandbox)).toEqual(["directory app", "file app/last", "file app/log"]);
    const before = await sandbox.readFile("/app/log");
    await sandbox.exec(["sleep", "0.2"]);
    expect((await sandbox.readFile("/app/log"))?.length).toBeGreaterThan(before?.length ?? 0);
  });

  test("names that begin with a dot or hold a line break are seen to change", async () => {
    const dockerfile = `FROM base
RUN mkdir -p /app/.hidden/..odd && echo 1 > /app/.hidden/..odd/f && echo 1 > "$(printf '/app/a\\nb')"
`;
    await using sandbox = await open({ environment: { dockerfile } });
    expect(await changesIn(sandbox)).toEqual([]);
    expect(await sandbox.baseHas("/app/.hidden/..odd/f")).toBe(true);
    await sh(
      sandbox,
      "echo 2 > /app/.hidden/..odd/f; echo 2 > $'/app/a\\nb'; rm -r /etc/default; ln -s x /app/.l",
    );
    expect(await changesIn(sandbox)).toEqual([
      "directory app",
      "directory app/.hidden",
      "directory app/.hidden/..odd",
      "file app/.hidden/..odd/f",
      "symlink app/.l",
      "file app/a\nb",
      "directory etc",
      "whiteout etc/default",
    ]);
  });

  test("an agent that breaks every tool of its image keeps its workspace all the same", async () => {
    await using sandbox = await open();
    await sh(
      sandbox,
      "echo done > /app/work; for t in cat find stat cp sh mkdir head; do rm -f /usr/bin/$t; ln -s /none /usr/bin/$t; done; rm -f /tracemill/busybox",
    );
    const changes = await changesIn(sandbox);
    expect(changes).toContain("file app/work");
    expect(changes).toContain("symlink usr/bin/cat");
    expect(String(await sandbox.readFile("/app/work"))).toBe("done\n");
  });

  test("many files and a large one are carried whole", async () => {
    await using from = await open();
    await using to = await open();
    const script = `mkdir -p /app/many/{a,b,c}; for i in $(seq 400); do echo $i > /app/many/a/$i; echo > /app/many/b/$i; done
      for i in $(seq 300); do mkdir /app/many/c/$i; done; : > /app/many/empty; head -c 20000000 /dev/urandom > /app/large; chmod 640 /app/large`;
    await sh(from, script);
    await to.applyWorkspace(from.diff());
    const sum = "find /app -type f -exec cksum {} + | sort; find /app | wc -l; stat -c %a /app/large";
    expect(await sh(to, sum)).toBe(await sh(from, sum));
  });

  test("a file larger than the spec allows is no part of a workspace", async () => {
    await using sandbox = await open({ limits: { fileBytes: 1_000_000 } });
    await sh(sandbox, "head -c 900000 /dev/zero > /app/fits");
    expect(await changesIn(sandbox)).toEqual(["directory app", "file app/fits"]);
  });
}
