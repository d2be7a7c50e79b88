import { expect, test } from "vitest";
import { collect } from "../streams.ts";
import { carriedIntoVerification, type NotCarried } from "./carry.ts";
import { type LayerEntry, readLayer, writeLayer } from "./layer.ts";

const base = new Set([
  ...["/bin", "/usr", "/usr/bin", "/usr/bin/bash", "/usr/bin/python3", "/usr/sbin/init", "/usr/local/bin"],
  ...[
    "/usr/lib",
    "/usr/lib/python3",
    "/usr/lib/python3/dist-packages",
    "/etc",
    "/etc/passwd",
    "/app",
    "/app/data",
  ],
]);

const file = (path: string, text = ""): LayerEntry => ({
  type: "file",
  path,
  mode: 0o755,
  size: Buffer.byteLength(text),
  body: (async function* () {
    yield Buffer.from(text);
  })(),
});
const folder = (path: string): LayerEntry => ({ type: "directory", path, mode: 0o755 });
const whiteout = (path: string): LayerEntry => ({ type: "whiteout", path });

async function carry(entries: LayerEntry[]): Promise<{ kept: string[]; notCarried: NotCarried[] }> {
  const { tar, notCarried } = carriedIntoVerification(writeLayer(entries), {
    baseHas: async (path) => base.has(path),
  });
  const kept: string[] = [];
  for await (const entry of readLayer(tar)) kept.push(`${entry.type} ${entry.path}`);
  return { kept, notCarried };
}

test("the task's own folders are carried as they are, deletions included", async () => {
  const { kept, notCarried } = await carry([
    folder("app"),
    file("app/conftest.py"),
    whiteout("app/data"),
    { type: "symlink", path: "app/link", target: "/etc" },
    file("etc/passwd"),
    file("home/user/notes"),
    file("logs/agent/log"),
    file("logs/artifacts/report"),
    file("tmp/x"),
  ]);
  expect(notCarried).toEqual([]);
  expect(kept).toHaveLength(9);
});

test("contents come through", async () => {
  const { tar } = carriedIntoVerification(
    writeLayer([file("app/a", "text"), file("usr/lib/python3/dist-packages/x.pth", "/app/src\n")]),
    {
      baseHas: async () => false,
    },
  );
  const texts: string[] = [];
  for await (const entry of readLayer(tar))
    if (entry.type === "file") texts.push((await collect(entry.body)).toString());
  expect(texts).toEqual(["text", "/app/src\n"]);
});

test("the verifier's folders and the system's are left out, and counted", async () => {
  const { kept, notCarried } = await carry([
    folder("logs"),
    file("logs/verifier/reward.txt", "1"),
    { type: "symlink", path: "tests", target: "/app" },
    file("solution/solve.sh"),
    file("run/x"),
    file("proc/y"),
  ]);
  expect(kept).toEqual([]);
  expect(notCarried).toEqual([
    { path: "/logs", reason: "1 change: is the verifier's own" },
    { path: "/tests", reason: "1 change: is the verifier's own" },
    { path: "/solution", reason: "1 change: is the reference solution's" },
    { path: "/proc, /sys, /dev, /run", reason: "2 changes: is the system's" },
  ]);
});

test.each([
  "etc/ld.so.preload",
  "etc/ld.so.cache",
  "etc/ld.so.conf.d/x.conf",
  "usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/libc.so.6",
  "app/sitecustomize.py",
  "app/usercustomize/__init__.py",
  "usr/lib/python3.11/sitecustomize.so",
  "usr/lib/python311.zip",
  "usr/bin/pyvenv.cfg",
  "etc/profile.d/x.sh",
  "etc/bash.bashrc",
  "etc/environment",
  "root/.bashrc",
  "home/user/.profile",
  "etc/hosts",
  "etc/apt/sources.list",
  "conftest.py",
  "pytest.ini",
])("%s, which something would pick up by itself, is refused", async (path) => {
  const { kept, notCarried } = await carry([file(path)]);
  expect(kept).toEqual([]);
  expect(notCarried).toEqual([{ path: `/${path}`, reason: expect.any(String) }]);
});

test("programs of the base stay, replaced, deleted or moved; new ones are carried", async () => {
  const { kept, notCarried } = await carry([
    folder("usr"),
    folder("usr/bin"),
    file("usr/bin/bash"),
    file("usr/bin/newtool"),
    whiteout("usr/bin/python3"),
    { type: "opaque", path: "usr/lib/python3/dist-packages" },
    file("usr/lib/python3/dist-packages/new.py"),
  ]);
  expect(kept).toEqual(["file usr/bin/newtool", "file usr/lib/python3/dist-packages/new.py"]);
  expect(notCarried.map(({ path }) => path)).toEqual([
    "/usr/bin/bash",
    "/usr/bin/python3",
    "/usr/lib/python3/dist-packages",
  ]);
});

test("a new command that would stand in for one of the base is refused", async () => {
  const { kept, notCarried } = await carry([
    file("usr/local/bin/python3"),
    file("usr/local/bin/black"),
    file("usr/local/sbin/init"),
    file("root/.local/bin/bash"),
    { type: "symlink", path: "usr/local/bin/bash", target: "/app/bash" },
  ]);
  expect(kept).toEqual(["file usr/local/bin/black"]);
  expect(notCarried[0]).toEqual({
    path: "/usr/local/bin/python3",
    reason: "it would stand in for the base's /usr/bin/python3",
  });
});

test("a folder put in place of one of the base is refused with all that is in it", async () => {
  const { kept, notCarried } = await carry([whiteout("bin"), folder("bin"), file("bin/new"), file("binary")]);
  expect(kept).toEqual(["file binary"]);
  expect(notCarried.map(({ path }) => path)).toEqual(["/bin", "/bin/new"]);
});

test("what decides by its content is looked at", async () => {
  const at = (name: string) => `usr/local/lib/python3.11/dist-packages/${name}`;
  const { kept } = await carry([
    file(at("editable.pth"), "/app/src\n"),
    file(at("evil.pth"), "import os; os.system('x')\n"),
    file(at("tool.dist-info/entry_points.txt"), "[console_scripts]\ntool = tool:main\n"),
    file(at("evil.dist-info/entry_points.txt"), "[pytest11]\nevil = evil\n"),
    file(at("large.pth"), "#".repeat(70_000)),
    file("root/.local/lib/python3.11/site-packages/evil.pth", "import os\n"),
    file("app/.venv/lib/python3.11/site-packages/own.pth", "import own\n"),
  ]);
  expect(kept).toEqual([
    `file ${at("editable.pth")}`,
    `file ${at("tool.dist-info/entry_points.txt")}`,
    "file app/.venv/lib/python3.11/site-packages/own.pth",
  ]);
});

test("compiled Python of the system is left out in one line", async () => {
  const { kept, notCarried } = await carry([
    file("usr/lib/python3.11/__pycache__/json.cpython-311.pyc"),
    file("usr/lib/python3.11/json/x.pyc"),
    file("app/__pycache__/own.pyc"),
  ]);
  expect(kept).toEqual(["file app/__pycache__/own.pyc"]);
  expect(notCarried).toEqual([
    { path: "*.pyc", reason: "2 changes: in program folders: Python makes them again" },
  ]);
});

test("however much is refused, the list stays short", async () => {
  const entries = Array.from({ length: 500 }, (_, n) => file(`etc/profile.d/${n}.sh`));
  const { notCarried } = await carry(entries);
  expect(notCarried).toHaveLength(201);
  expect(notCarried.at(-1)).toEqual({ path: "…", reason: "300 more changes of this kind" });
});

test("a damaged tar is an error, not a smaller workspace", async () => {
  const source = (async function* () {
    yield Buffer.alloc(600, "x");
  })();
  const { tar } = carriedIntoVerification(source, { baseHas: async () => false });
  await expect(collect(tar)).rejects.toMatchObject({ code: "invalid-archive" });
});
