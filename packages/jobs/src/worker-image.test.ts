import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readDockerfile, repository } from "../../../test/fakes/docker-context.ts";

const dockerfiles = ["packages/jobs/Dockerfile", "packages/jobs/gpu.Dockerfile"];

/** The packages that a package of ours needs, itself included. */
async function needs(name: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(name)) return found;
  found.add(name);
  const text = await readFile(join(repository, "packages", name, "package.json"), "utf8");
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  for (const each of Object.keys(dependencies))
    if (each.startsWith("@tracemill/")) await needs(each.slice("@tracemill/".length), found);
  return found;
}

describe.each(dockerfiles)("%s", (path) => {
  test("copies what is there, every file to where it was", async () => {
    const { files } = await readDockerfile(path);
    expect(files.length).toBeGreaterThan(100);
    for (const { source, target } of files) expect(target).toBe(source);
  });

  test("copies every workspace's package.json, without which `npm ci` refuses the lock file", async () => {
    const { files } = await readDockerfile(path);
    const copied = new Set(files.map(({ source }) => source));
    for (const name of await readdir(join(repository, "packages")))
      expect(copied).toContain(`packages/${name}/package.json`);
  });

  test("copies the sources of the jobs and of all they need, and no tests", async () => {
    const { files } = await readDockerfile(path);
    const sources = files.map(({ source }) => source).filter((source) => source.includes("/src/"));
    const packages = new Set(sources.map((source) => source.split("/")[1]));
    expect([...packages].toSorted()).toEqual([...(await needs("jobs"))].toSorted());
    expect(sources.filter((source) => source.endsWith(".test.ts"))).toEqual([]);
    expect(sources).toContain("packages/agents/src/sandbox/job/box.sh");
  });

  test("starts the entry point under an init that passes SIGTERM on", async () => {
    const { instructions } = await readDockerfile(path);
    const of = (keyword: string) =>
      instructions.filter((each) => each.keyword === keyword).map(({ text }) => text);
    expect(of("WORKDIR")).toEqual(["/opt/tracemill"]);
    expect(of("ENTRYPOINT").map((text) => JSON.parse(text) as unknown)).toEqual([
      ["/usr/bin/tini", "--", "/usr/local/bin/node", "/opt/tracemill/packages/jobs/src/main.ts"],
    ]);
    expect(of("STOPSIGNAL")).toEqual(["SIGTERM"]);
    expect(of("RUN").join("\n")).toMatch(/\btini\b/);
  });

  test("is built on images that are pinned by a tag", async () => {
    const { instructions } = await readDockerfile(path);
    const bases = instructions
      .filter(({ keyword }) => keyword === "FROM")
      .map(({ text }) => text.split(" ")[0]);
    expect(bases.length).toBeGreaterThan(1);
    for (const base of bases) expect(base).toMatch(/:(?!latest)[\w.-]+$/);
  });
});
