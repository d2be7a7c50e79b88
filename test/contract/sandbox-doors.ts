import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sandbox, SandboxNetwork } from "@tracemill/core/ports/sandbox.ts";
import { expect, test } from "vitest";
import type { OpenSandbox } from "./open-sandbox.ts";

/** What every sandbox promises of its doors to this process. @param networks those that it can have. */
export function sandboxDoors(open: OpenSandbox, networks: readonly SandboxNetwork[]): void {
  test.each(networks.map((network) => [JSON.stringify(network), network] as const))(
    "with the network %s a program inside reaches us at its own loopback",
    async (_, network) => {
      await using sandbox = await open({ network });
      const door = await sandbox.listen((connection) => answer(connection, (text) => `hello ${text}`));
      const { stdout } = await talk(sandbox, door.port, "you");
      expect(stdout).toBe("hello you");
    },
  );

  test("two doors lead to two places, and one that is closed leads nowhere", async () => {
    await using sandbox = await open();
    const [first, second] = await Promise.all([
      sandbox.listen((connection) => answer(connection, () => "first")),
      sandbox.listen((connection) => answer(connection, () => "second")),
    ]);
    expect((await talk(sandbox, first.port, "")).stdout).toBe("first");
    expect((await talk(sandbox, second.port, "")).stdout).toBe("second");
    await first.close();
    await first.close();
    expect((await talk(sandbox, first.port, "")).exitCode).not.toBe(0);
    expect((await talk(sandbox, second.port, "")).stdout).toBe("second");
  });

  test("either side may end its half and still hear the other", async () => {
    await using sandbox = await open();
    let heard = "";
    const over = Promise.withResolvers<void>();
    const door = await sandbox.listen((connection) => {
      connection.end("all we say");
      connection.on("data", (chunk: Buffer) => {
        heard += chunk.toString();
      });
      connection.on("end", over.resolve);
    });
    // Reads to the end first, and speaks then.
    const script = `exec 3<> /dev/tcp/127.0.0.1/${door.port}; said=$(cat <&3); printf '%s, and we' "$said" >&3`;
    const { exitCode, stderr } = await bash(sandbox, script);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    await over.promise;
    expect(heard).toBe("all we say, and we");
  });

  test("many connections at once keep their bytes apart", { timeout: 60_000 }, async () => {
    await using sandbox = await open();
    const door = await sandbox.listen((connection) => answer(connection, (text) => `<${text}>`));
    const one = `{ exec 3<> /dev/tcp/127.0.0.1/${door.port}; printf '%s\\n' "$i" >&3; sleep 0.2; cat <&3; } &`;
    const { stdout } = await bash(sandbox, `for i in $(seq 100); do ${one} done; wait`);
    const wanted = Array.from({ length: 100 }, (_, index) => `<${index + 1}>`);
    expect(stdout.match(/<\d+>/g)?.toSorted()).toEqual(wanted.toSorted());
    expect(stdout).toHaveLength(wanted.join("").length);
  });

  test("100 MB go through both ways unchanged, at the pace of the slower side", {
    timeout: 120_000,
  }, async () => {
    await using sandbox = await open();
    const got = createHash("sha256");
    let most = 0;
    const over = Promise.withResolvers<void>();
    const echo = async (connection: Duplex): Promise<void> => {
      for await (const chunk of connection) {
        got.update(chunk as Buffer);
        if (!connection.write(chunk)) await once(connection, "drain");
        most = Math.max(most, connection.writableLength + connection.readableLength);
      }
      connection.end();
    };
    const door = await sandbox.listen((connection) => void echo(connection).then(over.resolve, over.reject));
    const script = `
exec 3<> /dev/tcp/127.0.0.1/${door.port}
(head -c 100000000 /dev/zero | tr '\\0' 'x'; echo) >&3 &
sleep 0.5
head -c 100000001 <&3 | sha256sum
exec 3>&-`;
    const { stdout } = await bash(sandbox, script);
    const wanted = createHash("sha256").update("x".repeat(100_000_000)).update("\n").digest("hex");
    expect(stdout.split(" ")[0]).toBe(wanted);
    await over.promise;
    expect(got.digest("hex")).toBe(wanted);
    expect(most).toBeLessThan(8 * 1024 * 1024);
  });

  test("a sandbox that is closed closes its doors and what goes through them", async () => {
    const sandbox = await open();
    const met = Promise.withResolvers<Duplex>();
    const door = await sandbox.listen(met.resolve);
    await sandbox.start(["/bin/bash", "-c", `exec 3<> /dev/tcp/127.0.0.1/${door.port}; sleep 100`]);
    const connection = await met.promise;
    connection.on("error", () => undefined);
    const closed = new Promise((resolve) => connection.once("close", resolve));
    connection.resume();
    await sandbox.close();
    await closed;
    await expect(sandbox.listen(() => undefined)).rejects.toMatchObject({ code: "sandbox-failed" });
  });

  test("a program that breaks off harms no other connection", async () => {
    await using sandbox = await open();
    const door = await sandbox.listen((connection) => {
      connection.write("x".repeat(1_000_000));
      answer(connection, () => "end");
    });
    const broken = `for i in 1 2 3; do (exec 3<> /dev/tcp/127.0.0.1/${door.port}; head -c 10 <&3 > /dev/null); done`;
    await bash(sandbox, broken);
    await sleep(50);
    const { stdout } = await talk(sandbox, door.port, "still there?");
    expect(stdout).toHaveLength(1_000_003);
  });
}

/** Answers the first line. */
function answer(connection: Duplex, reply: (line: string) => string): void {
  connection.on("error", () => undefined);
  let text = "";
  connection.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes("\n")) connection.end(reply(text.slice(0, text.indexOf("\n"))));
  });
}

function talk(sandbox: Sandbox, port: number, line: string) {
  return bash(
    sandbox,
    `exec 3<> /dev/tcp/127.0.0.1/${port} || exit 1; printf '%s\\n' '${line}' >&3; cat <&3`,
  );
}

function bash(sandbox: Sandbox, script: string) {
  return sandbox.exec(["/bin/bash", "-c", script], {
    cwd: "/",
    timeoutMs: 90_000,
    maxOutputBytes: 4 * 1024 ** 2,
  });
}
