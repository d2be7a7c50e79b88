import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sandbox, SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import { type LayerEntry, writeLayer } from "@tracemill/core/workspace/layer.ts";
import { expect, test } from "vitest";
import { tempDir } from "../fakes/temp-dir.ts";
import { changesIn, type OpenSandbox, textIn } from "./open-sandbox.ts";

const place = "/opt/tracemill/tool-1";

/** What the ids of this suite's layers begin with, for whoever keeps them. */
export const contractLayers = `contract-${process.pid}-`;

/** What every sandbox promises of the folders that are laid in. @param commands whether it runs real ones. */
export function sandboxLayers(open: OpenSandbox, commands: boolean): void {
  layerFiles(open);
  layerPaths(open);
  if (commands) layerCommands(open);
}

/** A folder with a program, a library, an empty folder and a link. */
async function tool(): Promise<AsyncDisposable & { layer: SandboxLayer }> {
  const folder = await tempDir("tracemill-layer-");
  await chmod(folder.path, 0o755);
  await mkdir(join(folder.path, "bin"));
  await mkdir(join(folder.path, "empty"));
  await writeFile(join(folder.path, "bin", "tool"), `#!/bin/sh\ncat "\${0%/*}/../data.txt"\n`);
  await chmod(join(folder.path, "bin", "tool"), 0o755);
  await writeFile(join(folder.path, "data.txt"), "from the layer\n");
  await symlink("bin/tool", join(folder.path, "link"));
  const layer = { id: `${contractLayers}${process.hrtime.bigint()}`, dir: folder.path, path: place };
  return { layer, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

function layerFiles(open: OpenSandbox): void {
  test("a layer's files are read where it is laid in, and are no changes", async () => {
    await using own = await tool();
    await using sandbox = await open({ layers: [own.layer] });
    expect(await textIn(sandbox, `${place}/data.txt`)).toBe("from the layer\n");
    expect(await changesIn(sandbox)).toEqual([]);
    await sandbox.writeFiles([{ path: "/opt/other", content: "mine" }]);
    expect((await changesIn(sandbox)).filter((change) => !change.startsWith("directory"))).toEqual([
      "file opt/other",
    ]);
  });

  test("nothing is written or deleted in a layer, and what holds it is not deleted", async () => {
    await using own = await tool();
    await using sandbox = await open({ layers: [own.layer] });
    const refused = { code: "invalid-input", message: expect.stringContaining(place) };
    for (const path of [`${place}/data.txt`, `${place}/new`, place])
      await expect(sandbox.writeFiles([{ path, content: "x" }])).rejects.toMatchObject(refused);
    for (const path of [`${place}/data.txt`, place, "/opt/tracemill", "/opt/tracemill/../tracemill/tool-1"])
      await expect(sandbox.remove([path])).rejects.toMatchObject(refused);
    expect(await textIn(sandbox, `${place}/data.txt`)).toBe("from the layer\n");
  });

  test("a workspace changes nothing in a layer, and the rest of it is laid down", async () => {
    await using own = await tool();
    await using sandbox = await open({ layers: [own.layer] });
    const at = place.slice(1);
    const entries: LayerEntry[] = [
      file("app/kept", "kept"),
      { type: "whiteout", path: at },
      file(`${at}/data.txt`, "forged"),
      { type: "whiteout", path: `${at}/bin` },
      { type: "opaque", path: at },
    ];
    await sandbox.applyWorkspace(writeLayer(entries));
    expect(await textIn(sandbox, "/app/kept")).toBe("kept");
    expect(await textIn(sandbox, `${place}/data.txt`)).toBe("from the layer\n");
    expect((await changesIn(sandbox)).filter((change) => change.includes("tool-1"))).toEqual([]);
  });

  test("a workspace that would replace what holds a layer is refused", async () => {
    await using own = await tool();
    for (const entry of [
      { type: "whiteout", path: "opt" },
      { type: "opaque", path: "opt" },
      file("opt", "a file"),
    ] satisfies LayerEntry[]) {
      await using sandbox = await open({ layers: [own.layer] });
      await expect(sandbox.applyWorkspace(writeLayer([entry]))).rejects.toMatchObject({
        code: "invalid-archive",
        message: expect.stringContaining(place),
      });
      expect(await textIn(sandbox, `${place}/data.txt`)).toBe("from the layer\n");
    }
  });

  test("sandboxes side by side have their own layers, or none", async () => {
    await using one = await tool();
    await using two = await tool();
    await writeFile(join(two.layer.dir, "data.txt"), "another version\n");
    await using plain = await open();
    await using both = await open({ layers: [one.layer, { ...two.layer, path: "/opt/tracemill/tool-2" }] });
    expect(await textIn(both, `${place}/data.txt`)).toBe("from the layer\n");
    expect(await textIn(both, "/opt/tracemill/tool-2/data.txt")).toBe("another version\n");
    expect(await textIn(plain, `${place}/data.txt`)).toBeUndefined();
  });
}

function layerPaths(open: OpenSandbox): void {
  test.each([
    "/",
    "/opt",
    "opt/tool",
    "/opt/../etc/x",
    "/opt//tool",
    "/logs/agent/x",
    "/tests/x",
    "/solution/x",
    "/app/tool",
    "/proc/x",
    "/opt/a b",
  ])("a layer at %s is refused, with its path", async (path) => {
    await using own = await tool();
    const opening = open({ layers: [{ ...own.layer, path }] });
    await expect(opening).rejects.toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining(path),
    });
  });

  test("two layers at or below one place are refused", async () => {
    await using own = await tool();
    const opening = open({ layers: [own.layer, { ...own.layer, path: `${place}/below` }] });
    await expect(opening).rejects.toMatchObject({ code: "invalid-input" });
  });
}

function layerCommands(open: OpenSandbox): void {
  test("programs of a layer run, by every name", async () => {
    await using own = await tool();
    await using sandbox = await open({ layers: [own.layer] });
    expect((await sandbox.exec([`${place}/bin/tool`])).stdout).toBe("from the layer\n");
    expect(await sh(sandbox, `ls ${place}; readlink ${place}/link`)).toBe(
      "bin\ndata.txt\nempty\nlink\nbin/tool\n",
    );
  });

  test("not even root inside can change a layer, and trying leaves no change behind", async () => {
    await using own = await tool();
    await using sandbox = await open({ layers: [own.layer] });
    const script = `cd ${place}
for c in "touch new" "rm -f data.txt" "chmod 777 data.txt" "mv bin gone" "ln -s x y" "rmdir empty" "rm -rf ${place}" \\
  "mount -o remount,rw ${place}" "umount ${place}" "cp /bin/sh bin/tool"; do $c 2> /dev/null && echo "did: $c"; done
(echo x > data.txt) 2> /dev/null && echo wrote; true`;
    expect(await sh(sandbox, script)).toBe("");
    expect((await sandbox.exec([`${place}/bin/tool`])).stdout).toBe("from the layer\n");
    expect(await changesIn(sandbox)).toEqual([]);
  });

  test("a Dockerfile's build sees no layer, and the environment stays the same with one", async () => {
    await using own = await tool();
    const dockerfile = `FROM base\nRUN test ! -e ${place} && mkdir -p /opt && echo built > /opt/built\n`;
    await using sandbox = await open({ layers: [own.layer], environment: { dockerfile } });
    expect(await sh(sandbox, `cat /opt/built ${place}/data.txt`)).toBe("built\nfrom the layer\n");
    expect(await changesIn(sandbox)).toEqual([]);
  });
}

function file(path: string, content: string): Extract<LayerEntry, { type: "file" }> {
  const bytes = Buffer.from(content);
  const body = (async function* () {
    yield bytes;
  })();
  return { type: "file", path, mode: 0o644, size: bytes.length, body };
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  const { stdout, stderr } = await sandbox.exec(["/bin/sh", "-c", script], { cwd: "/" });
  return stdout + stderr;
}
