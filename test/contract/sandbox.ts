import type { SandboxNetwork, SandboxProvider } from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gather } from "../fakes/gather.ts";
import { changesIn, type OpenSandbox, specOf, textIn } from "./open-sandbox.ts";
import { sandboxBuilds } from "./sandbox-builds.ts";
import { sandboxChanges } from "./sandbox-changes.ts";
import { sandboxCommands } from "./sandbox-commands.ts";
import { sandboxDoors } from "./sandbox-doors.ts";
import { sandboxLayers } from "./sandbox-layers.ts";

export interface SandboxSuite {
  /** Opens a provider; called once for the whole suite. */
  provider: () => SandboxProvider;
  /** Whether it runs real commands. */
  commands: boolean;
  /** Whether it builds Dockerfiles itself. Default: whether it runs commands. */
  builds?: boolean;
  /** Networks that it can have. Default: `none` and `host`. */
  networks?: readonly SandboxNetwork[];
  /** Why the suite cannot run here. */
  skip?: string | undefined;
}

/** What every sandbox promises. */
export function sandboxContract(
  name: string,
  { provider, commands, builds = commands, networks = ["none", "host"], skip }: SandboxSuite,
): void {
  const title = skip === undefined ? `${name}: sandbox` : `${name}: sandbox (skipped: ${skip})`;
  describe.skipIf(skip !== undefined)(title, () => {
    let opened: SandboxProvider | undefined;
    const open: OpenSandbox = async (spec = {}) => {
      opened ??= provider();
      const sandbox = await opened.create(specOf(spec));
      return Object.assign(sandbox, { [Symbol.asyncDispose]: () => sandbox.close() });
    };
    sandboxFiles(open);
    sandboxWorkspaces(open);
    sandboxLayers(open, commands);
    if (!commands) return;
    sandboxCommands(open);
    sandboxChanges(open);
    sandboxDoors(open, networks);
    if (builds) sandboxBuilds(open);
  });
}

function sandboxFiles(open: OpenSandbox): void {
  test("written files come back, byte for byte", async () => {
    await using sandbox = await open();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await sandbox.writeFiles([
      { path: "/app/deep/er/bytes", content: bytes },
      { path: "/tests/test.sh", content: "#!/bin/sh\n", mode: 0o755 },
    ]);
    expect(await sandbox.readFile("/app/deep/er/bytes")).toEqual(Buffer.from(bytes));
    expect(await textIn(sandbox, "/tests/test.sh")).toBe("#!/bin/sh\n");
  });

  test("a second write replaces the file", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([{ path: "/app/file", content: "a longer first text" }]);
    await sandbox.writeFiles([{ path: "/app/file", content: "second" }]);
    expect(await textIn(sandbox, "/app/file")).toBe("second");
  });

  test("a file that is absent reads as undefined", async () => {
    await using sandbox = await open();
    expect(await sandbox.readFile("/app/none")).toBeUndefined();
    expect(await sandbox.readFile("/none/at/all")).toBeUndefined();
  });

  test("a folder, and a file larger than allowed, are refused by name", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([{ path: "/app/folder/file", content: "12345" }]);
    await expect(sandbox.readFile("/app/folder")).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining("/app/folder"),
    });
    await expect(sandbox.readFile("/app/folder/file", { maxBytes: 4 })).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining("4 bytes"),
    });
    expect(await sandbox.readFile("/app/folder/file", { maxBytes: 5 })).toHaveLength(5);
  });

  test("relative paths are refused", async () => {
    await using sandbox = await open();
    await expect(sandbox.writeFiles([{ path: "app/x", content: "" }])).rejects.toMatchObject({
      code: "invalid-input",
    });
  });

  test("remove deletes files and folders, and is silent about what is absent", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([
      { path: "/app/one", content: "1" },
      { path: "/app/folder/two", content: "2" },
      { path: "/app/folder2", content: "3" },
    ]);
    await sandbox.remove(["/app/one", "/app/folder", "/app/none", "/nowhere/none"]);
    expect(await sandbox.readFile("/app/one")).toBeUndefined();
    expect(await sandbox.readFile("/app/folder/two")).toBeUndefined();
    expect(await textIn(sandbox, "/app/folder2")).toBe("3");
  });

  test("a closed sandbox says so, and closing twice is fine", async () => {
    const sandbox = await open();
    await sandbox.close();
    await sandbox.close();
    await expect(sandbox.exec(["true"])).rejects.toMatchObject({ code: "sandbox-failed" });
    await expect(sandbox.readFile("/app/x")).rejects.toMatchObject({ code: "sandbox-failed" });
  });

  test("two sandboxes of one environment do not see each other's files", async () => {
    await using first = await open();
    await using second = await open();
    await first.writeFiles([{ path: "/app/mine", content: "1" }]);
    expect(await second.readFile("/app/mine")).toBeUndefined();
  });

  test("the default working directory is /app, or what the environment says", async () => {
    await using plain = await open();
    await using other = await open({ environment: { workdir: "/data/work" } });
    expect(plain.workdir).toBe("/app");
    expect(other.workdir).toBe("/data/work");
  });
}

function sandboxWorkspaces(open: OpenSandbox): void {
  test("an untouched sandbox has no changes", async () => {
    await using sandbox = await open();
    expect(await changesIn(sandbox)).toEqual([]);
  });

  test("the changes of one sandbox, laid over another, give the same files", {
    timeout: 240_000,
  }, async () => {
    const name = fc.stringMatching(/^[a-c]{1,2}$/);
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    const files = fc.dictionary(path, fc.string({ maxLength: 20 }), { maxKeys: 6 }).filter(isTree);
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        await using from = await open();
        await using to = await open();
        const all = Object.entries(wanted).map(([key, content]) => ({ path: `/app/${key}`, content }));
        await from.writeFiles(all);
        await to.applyWorkspace(from.diff());
        for (const file of all) expect(await textIn(to, file.path)).toBe(file.content);
        expect(await gather(to.diff())).toEqual(await gather(from.diff()));
      }),
      { numRuns: 12 },
    );
  });

  test("excluded folders stay out of the changes", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([
      { path: "/app/kept", content: "" },
      { path: "/tests/hidden", content: "" },
      { path: "/tests2/kept", content: "" },
    ]);
    const changes = (await changesIn(sandbox, ["/tests"])).filter((change) => change.startsWith("file"));
    expect(changes).toEqual(["file app/kept", "file tests2/kept"]);
  });

  test("a deletion in a workspace deletes", async () => {
    await using sandbox = await open();
    await sandbox.writeFiles([{ path: "/app/old", content: "" }]);
    await sandbox.applyWorkspace(writeLayer([{ type: "whiteout", path: "app/old" }]));
    expect(await sandbox.readFile("/app/old")).toBeUndefined();
  });

  test.each(["../outside", "/absolute", "app/../../outside"])(
    "a workspace with the path %s is refused",
    async (path) => {
      await using sandbox = await open();
      const hostile: LayerEntry = { type: "directory", path, mode: 0o755 };
      await expect(sandbox.applyWorkspace(writeLayer([hostile]))).rejects.toMatchObject({
        code: "invalid-archive",
      });
    },
  );
}

/** No file is also a folder. */
function isTree(files: Record<string, string>): boolean {
  const paths = Object.keys(files);
  return !paths.some((path) => paths.some((other) => other.startsWith(`${path}/`)));
}
