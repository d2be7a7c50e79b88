import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { type LayerRecipe, layerId, npmLayers } from "./install-layer.ts";

const recipe: LayerRecipe = { name: "codex", version: "1.2.3", packages: ["codex@npm:@x/codex@1.2.3"] };
const never = new AbortController().signal;

/** Plays npm: makes one file, as an installation would. */
function playedNpm() {
  const calls: (readonly string[])[] = [];
  const npm = async (args: readonly string[], cwd: string) => {
    calls.push(args);
    await mkdir(join(cwd, "node_modules"));
    await writeFile(join(cwd, "node_modules/program"), "x");
    return { exitCode: 0, stderr: "" };
  };
  return { calls, npm };
}

describe("npmLayers", () => {
  test("installs once: what is there is taken as it is, by any process and without a registry", async () => {
    await using dir = await tempDir();
    const { calls, npm } = playedNpm();
    const [one, two] = await Promise.all([
      npmLayers(dir.path, npm)(recipe, never),
      npmLayers(dir.path, npm)(recipe, never),
    ]);
    expect(two).toEqual(one);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toEqual(
      expect.arrayContaining(["install", "--ignore-scripts", "--os=linux", ...recipe.packages]),
    );
    expect(await readFile(join(one.dir, "node_modules/program"), "utf8")).toBe("x");
    await npmLayers(dir.path, () => Promise.reject(new Error("offline")))(recipe, never);
  });

  test("an installation that fails leaves nothing, says npm's words, and is tried again", async () => {
    await using dir = await tempDir();
    const failing = async () => ({ exitCode: 1, stderr: "npm error code ECONNRESET\nnpm error network\n" });
    await expect(npmLayers(dir.path, failing)(recipe, never)).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringMatching(/codex@npm:@x\/codex@1\.2\.3: npm error code ECONNRESET; npm error net/),
    });
    expect((await readdir(dir.path)).filter((name) => !name.includes(".lock"))).toEqual([]);
    const { calls, npm } = playedNpm();
    await npmLayers(dir.path, npm)(recipe, never);
    expect(calls).toHaveLength(1);
  });

  test("a package that the registry does not have is no failure that another attempt mends", async () => {
    await using dir = await tempDir();
    const failing = async () => ({ exitCode: 1, stderr: "npm error code E404\nnpm error 404 Not Found\n" });
    await expect(npmLayers(dir.path, failing)(recipe, never)).rejects.toMatchObject({ code: "unsupported" });
  });

  test("is told of when something is fetched, and not otherwise", async () => {
    await using dir = await tempDir();
    const lines: string[] = [];
    const install = npmLayers(dir.path, playedNpm().npm, (line) => lines.push(line));
    await install(recipe, never);
    await install(recipe, never);
    expect(lines).toEqual([expect.stringContaining("codex@npm:@x/codex@1.2.3 from npm")]);
  });

  test("who is told to stop does not wait for another's installation", async () => {
    await using dir = await tempDir();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const slow = npmLayers(dir.path, async (_, cwd) => {
      start();
      await promise;
      await mkdir(join(cwd, "node_modules"));
      return { exitCode: 0, stderr: "" };
    })(recipe, never);
    await started;
    const stop = new AbortController();
    const waiting = npmLayers(dir.path, playedNpm().npm)(recipe, stop.signal);
    stop.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
    resolve();
    await slow;
  });

  test("other packages, versions and C libraries are other layers, whose names sandboxes take", () => {
    const others: LayerRecipe[] = [
      recipe,
      { ...recipe, version: "1.2.4" },
      { ...recipe, packages: ["codex@npm:@x/codex@1.2.4"] },
      { ...recipe, libc: "musl" },
      { name: "command", packages: ["@a/b@1.0.0"] },
    ];
    const ids = others.map(layerId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$/);
  });
});
