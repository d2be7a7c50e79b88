import type { LayerEntry } from "@tracemill/core/workspace/layer.ts";
import { expect, test } from "vitest";
import { type ApplyDeps, applyWorkspaceIn } from "./apply.ts";

/** A container that has these paths, and writes down what is asked of it. */
function container(has: Record<string, "file" | "directory" | "symlink">) {
  const asked: string[] = [];
  const deps: ApplyDeps = {
    kindOf: async (path) => has[path],
    remove: async (paths) => void asked.push(`remove ${paths.join(" ")}`),
    empty: async (folders) => {
      for (const { path, kept } of folders) asked.push(`empty ${path} but for ${kept.join(" ")}`);
    },
    unpack: async (entries) => {
      const paths: string[] = [];
      for await (const { path } of entries) paths.push(path);
      asked.push(`unpack ${paths.join(" ")}`);
    },
  };
  return { asked, deps };
}

const file = (path: string): LayerEntry => ({
  type: "file",
  path,
  mode: 0o644,
  size: 0,
  body: (async function* () {})(),
});
async function* each(entries: readonly LayerEntry[]): AsyncGenerator<LayerEntry> {
  yield* entries;
}

const folder = (path: string): LayerEntry => ({ type: "directory", path, mode: 0o755 });

test("deletions come first, and what is new below a deleted folder is not asked for", async () => {
  const { asked, deps } = container({ "/etc": "directory", "/etc/a": "directory", "/etc/a/b": "symlink" });
  const entries: LayerEntry[] = [
    folder("etc"),
    { type: "whiteout", path: "etc/a" },
    folder("etc/a"),
    file("etc/a/b/c"),
  ];
  await applyWorkspaceIn(deps, each(entries));
  expect(asked).toEqual(["remove /etc/a", "unpack etc etc/a etc/a/b etc/a/b/c"]);
});

test("a deletion below what is absent, or of what the workspace itself has made, deletes nothing", async () => {
  const { asked, deps } = container({ "/app": "directory" });
  const entries: LayerEntry[] = [
    { type: "whiteout", path: "none/x" },
    file("app/x"),
    { type: "whiteout", path: "app/x" },
  ];
  await applyWorkspaceIn(deps, each(entries));
  expect(asked).toEqual(["unpack app/x"]);
});

test("a folder that is emptied keeps what the workspace has put there", async () => {
  const { asked, deps } = container({ "/app": "directory", "/app/old": "file" });
  await applyWorkspaceIn(deps, each([folder("app"), file("app/new"), { type: "opaque", path: "app" }]));
  expect(asked).toEqual(["empty /app but for new", "unpack app app/new"]);
});

test.each([
  ["a link of the container", [file("link/x")]],
  ["a file of the container", [file("plain/x")]],
  ["a link of the workspace", [{ type: "symlink", path: "new", target: "/etc" } as const, file("new/x")]],
])("nothing goes through %s", async (_, entries: LayerEntry[]) => {
  const { asked, deps } = container({ "/link": "symlink", "/plain": "file" });
  await expect(applyWorkspaceIn(deps, each(entries))).rejects.toMatchObject({
    code: "invalid-archive",
  });
  expect(asked).toEqual([]);
});
