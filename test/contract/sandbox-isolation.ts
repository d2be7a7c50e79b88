import { readFileSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { Sandbox } from "@tracemill/core/ports/sandbox.ts";
import { expect, test } from "vitest";
import { type OpenSandbox, textIn } from "./open-sandbox.ts";

/** What a command in a sandbox of namespaces cannot reach, however it tries. */
export function sandboxIsolation(open: OpenSandbox): void {
  hostFiles(open);
  privileges(open);
  processesAndNetwork(open);
  accessFromOutside(open);
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  const { stdout, stderr } = await sandbox.exec(["/bin/bash", "-c", script], { cwd: "/" });
  return stdout + stderr;
}

function hostFiles(open: OpenSandbox): void {
  test("changes to system folders stay in the sandbox", async () => {
    const before = statSync("/usr/bin").mtimeMs;
    await using sandbox = await open();
    const script =
      "echo x > /usr/bin/made; rm /usr/bin/env.bak /usr/bin/awk; echo y >> /etc/hosts; rm -rf /opt/* /var/lib/dpkg";
    await sh(sandbox, script);
    expect(statSync("/usr/bin").mtimeMs).toBe(before);
    expect(readFileSync("/etc/hosts", "utf8")).not.toContain("y\n");
    expect((await sh(sandbox, "cat /usr/bin/made")).trim()).toBe("x");
  });

  test("the host's homes, keys and password hashes are not there", async () => {
    await using sandbox = await open();
    expect(await sh(sandbox, "ls -A /root /home")).toBe("/home:\n\n/root:\n");
    const missing =
      "/etc/shadow /etc/gshadow /etc/ssh /etc/ssl/private /etc/environment /work /boot/grub /sys/kernel";
    expect(await sh(sandbox, `for f in ${missing}; do test -e $f && echo $f; done`)).toBe("");
    expect(await sh(sandbox, "cat /etc/machine-id; wc -c < /etc/resolv.conf")).toBe("0\n");
  });

  test("mounts cannot be made, changed or undone", async () => {
    await using sandbox = await open();
    const script = `for c in "mount -t tmpfs x /mnt" "mount --bind /usr /mnt" "umount /proc/sys" "umount -l /usr" \\
      "mount -o remount,rw /proc/sys" "mount -t proc x /mnt" "pivot_root / /mnt" "unshare -Urm true" "unshare -m true" \\
      "nsenter -t 1 -m true" "mknod /app/disk b 8 0"; do $c 2>/dev/null && echo "did: $c"; done; true`;
    expect(await sh(sandbox, script)).toBe("");
  });

  test("who breaks out of the command's root finds a read-only system and nothing of the host", async () => {
    await using sandbox = await open();
    const breakout = `
import os
os.makedirs("/app/jail", exist_ok=True)
hole = os.open("/", os.O_RDONLY)
os.chroot("/app/jail")
os.fchdir(hole)
for _ in range(50): os.chdir("..")
os.chroot(".")
print(sorted(os.listdir("/")))
print(os.listdir("/old"), os.path.exists("/work"), os.path.exists("/root"), os.path.exists("/etc"))
for path in ["/made", "/usr/made", "/usr/bin/made", "/old/made", "/lib64"]:
    try:
        os.rename(path, path + "2") if path == "/lib64" else open(path, "w")
        print("wrote", path)
    except OSError: pass
`;
    await sandbox.writeFiles([{ path: "/app/escape.py", content: breakout }]);
    const [names = "", rest = "", ...wrote] = (await sh(sandbox, "python3 /app/escape.py"))
      .trim()
      .split("\n");
    expect(names).toContain("'sb'");
    expect(rest).toBe("[] False False False");
    expect(wrote).toEqual([]);
  });
}

function privileges(open: OpenSandbox): void {
  test("a command has Docker's capabilities at most, and gains none", async () => {
    await using sandbox = await open();
    const status = await sh(
      sandbox,
      "grep -E '^(CapBnd|CapEff|NoNewPrivs)' /proc/self/status | tr -d ' \\t'",
    );
    expect(status).toBe("CapEff:00000000a80425fb\nCapBnd:00000000a80425fb\nNoNewPrivs:1\n");
  });

  test("replacing the tools that start commands gives no more power", async () => {
    await using sandbox = await open();
    const script = `printf '#!/bin/sh\\ngrep CapEff /proc/self/status\\n' > /app/spy; chmod 755 /app/spy
      for t in setpriv chroot nsenter sleep; do rm -f /usr/bin/$t /usr/sbin/$t; cp /app/spy /usr/bin/$t; done
      rm /usr/bin/env; cp /app/spy /usr/bin/env; echo /app/evil.so > /etc/ld.so.preload`;
    await sh(sandbox, script);
    const { stdout } = await sandbox.exec(["true"]);
    expect(stdout.replace(/\s/g, "")).toBe("CapEff:00000000a80425fb");
  });

  test("settings of the kernel cannot be written", async () => {
    await using sandbox = await open();
    const script = `for f in kernel/core_pattern kernel/hostname kernel/modprobe vm/drop_caches user/max_user_namespaces; do
      (: >> /proc/sys/$f) 2>/dev/null && echo "wrote $f"; done
      (: >> /proc/sysrq-trigger) 2>/dev/null && echo wrote sysrq; true`;
    expect(await sh(sandbox, script)).toBe("");
  });

  test("the first process cannot be traced, read or killed", async () => {
    await using sandbox = await open();
    const script = `kill -9 1 2>/dev/null; ls /proc/1/root/ /proc/1/cwd/ 2>/dev/null; cat /proc/1/environ 2>/dev/null; cat /proc/1/mem 2>/dev/null
      head -1 /proc/1/comm`;
    expect(await sh(sandbox, script)).toBe("sleep\n");
    expect((await sandbox.exec(["true"])).exitCode).toBe(0);
  });

  test("set-user-ID programs give nothing", async () => {
    await using sandbox = await open();
    const script = `cp /usr/bin/id /app/id; chmod 4755 /app/id; chmod 755 /app
      setpriv --reuid=65534 --regid=65534 --clear-groups /app/id -u 2>/dev/null || echo not mapped`;
    expect((await sh(sandbox, script)).trim()).toMatch(/^(65534|not mapped)$/);
  });
}

function processesAndNetwork(open: OpenSandbox): void {
  test("processes of the host are invisible", async () => {
    await using sandbox = await open();
    expect(
      await sh(
        sandbox,
        `ps -e -o args= | grep -c '[v]itest' || :; test -e /proc/${process.pid} && echo seen || echo unseen`,
      ),
    ).toBe("0\nunseen\n");
  });

  test("without network there is only the sandbox's own loopback", async () => {
    const server = createServer((socket) => socket.end("host")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      await using none = await open();
      await using host = await open({ network: "host" });
      const connect = `cat < /dev/tcp/127.0.0.1/${port}`;
      expect((await none.exec(["/bin/bash", "-c", connect])).exitCode).not.toBe(0);
      expect((await host.exec(["/bin/bash", "-c", connect])).stdout).toBe("host");
      expect(await sh(host, "cat /etc/resolv.conf")).toBe(readFileSync("/etc/resolv.conf", "utf8"));
      const own = `python3 -c "
import socket, threading
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
print('own loopback')"`;
      expect(await sh(none, own)).toBe("own loopback\n");
      expect(await sh(none, "cat /proc/net/dev | grep -c :")).toBe("1\n");
    } finally {
      server.close();
    }
  });

  test.each(["127.0.0.1", "::ffff:127.0.0.1"])(
    "a door on this machine's own loopback serves programs of the sandbox and nobody else (%s)",
    async (host) => {
      await using sandbox = await open({ network: "host" });
      await using other = await open({ network: "host" });
      let served = 0;
      const door = await sandbox.listen((connection) => {
        served += 1;
        connection.end("welcome");
      });
      const said = await text(connect({ host, port: door.port })).catch(() => "broken off");
      expect(said).not.toContain("welcome");
      const family = host.includes(":") ? "AF_INET6" : "AF_INET";
      const python = `python3 -c "
import socket
client = socket.socket(socket.${family})
client.connect(('${host}', ${door.port}))
try: print(client.recv(100).decode())
except OSError: pass"`;
      expect(await sh(other, python)).not.toContain("welcome");
      expect(await sh(sandbox, python)).toBe("welcome\n");
      expect(served).toBe(1);
    },
  );

  test("the name of the machine is not the host's", async () => {
    await using sandbox = await open();
    expect(await sh(sandbox, "uname -n")).toBe("sandbox\n");
  });
}

function accessFromOutside(open: OpenSandbox): void {
  test("reading a file never follows a link out of the sandbox", async () => {
    await using sandbox = await open();
    const here = resolve(import.meta.dirname, "../..");
    const script = `ln -s ${here} /app/a; ln -s ../../../../../..${here}/package.json /app/b; ln -s /proc/1/root/etc/hostname /app/c
      ln -s /etc/hostname /app/d; ln -s loop /app/loop; ln -s /proc/self/fd/0 /app/e; ln -s /proc/self/root/etc/shadow /app/f`;
    await sh(sandbox, script);
    expect(await sandbox.readFile("/app/a/package.json")).toBeUndefined();
    expect(await sandbox.readFile("/app/b")).toBeUndefined();
    expect(await textIn(sandbox, "/app/d")).toBe("sandbox\n");
    await expect(sandbox.readFile("/app/loop")).rejects.toMatchObject({ code: "invalid-input" });
    expect(await sandbox.readFile("/app/f")).toBeUndefined();
  });

  test("pipes and devices are refused, and do not hang", async () => {
    await using sandbox = await open();
    await sh(sandbox, "mkfifo /app/pipe");
    for (const path of ["/app/pipe", "/dev/zero", "/dev/tty"]) {
      await expect(sandbox.readFile(path)).rejects.toMatchObject({ code: "invalid-input" });
    }
  });

  test("writing and deleting never leave the sandbox, even while folders are swapped for links", async () => {
    await using sandbox = await open();
    const swap = "cd /app; while :; do mkdir -p d; rm -rf d; ln -s /etc d; rm d; done";
    const process = await sandbox.start(["/bin/bash", "-c", swap]);
    const before = statSync("/etc").mtimeMs;
    for (let round = 0; round < 300; round += 1) {
      const write = sandbox.writeFiles([{ path: "/app/d/tracemill-escaped", content: "x" }]);
      await write.catch(() => undefined);
      await sandbox.remove(["/app/d/tracemill-escaped"]).catch(() => undefined);
    }
    process.kill();
    expect(statSync("/etc").mtimeMs).toBe(before);
  });
}
