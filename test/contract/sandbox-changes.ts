import type { Sandbox } from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, readLayer, writeLayer } from "@tracemill/core/workspace/layer.ts";
import { expect, test } from "vitest";
import { gather } from "../fakes/gather.ts";
import { changesIn, type OpenSandbox } from "./open-sandbox.ts";

/** What a sandbox says that commands changed, and how that is laid over another. */
export function sandboxChanges(open: OpenSandbox): void {
  changesOfCommands(open);
  roundTrips(open);
  hostileWorkspaces(open);
  baseOfSandbox(open);
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await sandbox.exec(["/bin/sh", "-ec", script], { cwd: "/" });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
}

function changesOfCommands(open: OpenSandbox): void {
  test("changes tell new, changed and deleted files, links and modes", async () => {
    await using sandbox = await open();
    await sh(
      sandbox,
      "cd /app; echo 1 > b; chmod 750 b; ln -s b link; mkdir -p deep/er; rm /etc/issue; echo x >> /etc/profile",
    );
    const entries = await gather(readLayer(sandbox.diff()));
    expect(entries.map(({ type, path }) => `${type} ${path}`)).toEqual([
      "directory app",
      "file app/b",
      "directory app/deep",
      "directory app/deep/er",
      "symlink app/link",
      "directory etc",
      "whiteout etc/issue",
      "file etc/profile",
    ]);
    expect(entries[1]).toMatchObject({ mode: 0o750, size: 2 });
    expect(entries[4]).toMatchObject({ target: "b" });
  });

  test("changes have no trace of what only the machine knows: the same work gives the same bytes", async () => {
    await using first = await open();
    await using second = await open();
    await sh(first, "cd /app; echo 1 > a; mkdir d; echo 2 > d/b; touch -d 2001-01-01 a");
    await sh(second, "cd /app; mkdir d; echo 2 > d/b; echo 1 > a");
    expect(Buffer.concat(await gather(first.diff()))).toEqual(Buffer.concat(await gather(second.diff())));
  });

  test("mounts, sockets, pipes and running files are no changes", async () => {
    await using sandbox = await open();
    await sh(sandbox, "echo x > /dev/shm/x; echo y > /run/y; mkfifo /app/pipe; touch /tmp/t; rm /tmp/t");
    expect(await changesIn(sandbox)).toEqual([]);
  });

  test("files that not even their owner may read are kept", async () => {
    await using sandbox = await open();
    await sh(sandbox, "mkdir /app/d; echo secret > /app/d/f; chmod 000 /app/d/f; chmod 000 /app/d");
    const entries = await gather(readLayer(sandbox.diff()));
    expect(entries.map(({ type, path }) => `${type} ${path}`)).toContain("file app/d/f");
  });
}

const scripts: [title: string, script: string][] = [
  ["files and folders", "mkdir -p /app/a/b; echo 1 > /app/a/b/c; echo 2 > /data; mkdir -m 1777 /app/sticky"],
  [
    "links that lead nowhere or up",
    "ln -s /nowhere /app/x; ln -s ../../.. /app/y; ln -s /etc/profile /app/z",
  ],
  ["deletions", "rm /etc/profile; rm -r /etc/default"],
  ["a folder made anew", "rm -r /etc/default; mkdir /etc/default; echo only > /etc/default/mine"],
  ["a folder where a file was", "rm /etc/profile; mkdir /etc/profile; echo in > /etc/profile/file"],
  ["a file where a folder was", "rm -r /etc/default; echo file > /etc/default"],
  ["a link where a folder was", "rm -r /etc/default; ln -s /tmp /etc/default"],
  [
    "new programs",
    "mkdir -p /usr/local/lib/x; echo lib > /usr/local/lib/x/y; printf '#!/bin/sh\\necho hi\\n' > /usr/bin/hi; chmod 755 /usr/bin/hi",
  ],
  [
    "a system folder moved away",
    "mkdir /app/g; cp -r /etc/default /app/g/; rm -r /etc/default; mv /app/g/default /etc/other",
  ],
  ["modes of folders", "chmod 700 /etc/default; chmod 711 /var/log"],
  [
    "odd names",
    "cd /app; echo 1 > 'a b'; echo 2 > 'ü'; echo 3 > \"$(printf 'n\\nl')\"; echo 4 > '-x'; echo 5 > '*'",
  ],
  [
    "long names",
    "d=/app; for i in 1 2 3 4 5 6; do d=$d/$(printf 'n%.0s' $(seq 60)); done; mkdir -p $d; echo deep > $d/f; ln -s $d/f /app/far",
  ],
];

/** Names, kinds, modes, targets and contents of all that a task could see. */
const listing = `for d in /app /data /etc /var /usr/local/lib/x /usr/bin/hi /root; do
  test -e $d && find $d -printf '%p %y %m %l\\n' || :
done | sort; find /app /etc -type f -exec cksum {} + | sort`;

function roundTrips(open: OpenSandbox): void {
  test.each(scripts)("changes laid over a fresh sandbox give the same tree: %s", async (_, script) => {
    await using from = await open();
    await using to = await open();
    await sh(from, script);
    await to.applyWorkspace(from.diff());
    expect(await sh(to, listing)).toBe(await sh(from, listing));
    expect(await changesIn(to)).toEqual(await changesIn(from));
  });
}

function hostileWorkspaces(open: OpenSandbox): void {
  const file = (path: string): LayerEntry => ({
    type: "file",
    path,
    mode: 0o644,
    size: 4,
    body: (async function* () {
      yield Buffer.from("evil");
    })(),
  });

  test("a workspace cannot write through a link", async () => {
    await using sandbox = await open();
    const link: LayerEntry = { type: "symlink", path: "app/out", target: "/etc" };
    await expect(sandbox.applyWorkspace(writeLayer([link, file("app/out/profile")]))).rejects.toMatchObject({
      code: "invalid-archive",
      message: expect.stringContaining("app/out/profile"),
    });
    await using replaced = await open();
    await replaced.applyWorkspace(writeLayer([{ ...link, target: "/etc/profile" }, file("app/out")]));
    expect(await sh(replaced, "cat /etc/profile")).not.toContain("evil");
  });

  test("a workspace cannot delete through a link, nor empty the root", async () => {
    await using sandbox = await open();
    await sh(sandbox, "ln -s /etc /app/out");
    await expect(
      sandbox.applyWorkspace(writeLayer([{ type: "whiteout", path: "app/out/profile" }])),
    ).rejects.toMatchObject({ code: "invalid-archive" });
    await expect(sandbox.applyWorkspace(writeLayer([{ type: "opaque", path: "" }]))).rejects.toMatchObject({
      code: "invalid-archive",
    });
    expect(await sh(sandbox, "cat /etc/profile")).toContain("PATH");
  });

  test("a damaged workspace is refused", async () => {
    await using sandbox = await open();
    const damaged = (async function* () {
      yield Buffer.alloc(700, "x");
    })();
    await expect(sandbox.applyWorkspace(damaged)).rejects.toMatchObject({ code: "invalid-archive" });
  });
}

function baseOfSandbox(open: OpenSandbox): void {
  test("baseHas tells what the environment had before any change", async () => {
    const dockerfile =
      "FROM base\nRUN mkdir /data && touch /data/f && rm /etc/profile && ln -s /data /linked\n";
    await using sandbox = await open({ environment: { dockerfile } });
    await sh(sandbox, "rm -r /data; touch /app/new");
    const asked = [
      "/bin/sh",
      "/usr/bin/env",
      "/data/f",
      "/linked/f",
      "/app",
      "/app/new",
      "/etc/profile",
      "/data/f/x",
    ];
    const answers = await Promise.all(asked.map((path) => sandbox.baseHas(path)));
    expect(answers).toEqual([true, true, true, true, true, false, false, false]);
  });
}
