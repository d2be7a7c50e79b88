import { readLayer } from "@tracemill/core/workspace/layer.ts";
import { expect, test } from "vitest";
import { gather } from "../../../../../test/fakes/gather.ts";
import { buildContext, buildFiles } from "./build-context.ts";

const file = (path: string, text: string, mode = 0o644) => ({ path, content: Buffer.from(text), mode });

test("the context is the task's files without those that .dockerignore leaves out", async () => {
  const files = [
    file("Dockerfile", "an older one"),
    file(".dockerignore", "secret\n*.log\n!kept.log\n"),
    file("secret/key", "k"),
    file("a.log", "1"),
    file("kept.log", "2"),
    file("run.sh", "#!/bin/sh\n", 0o755),
  ];
  const context = buildFiles({ files }, "FROM x\n");
  const entries = await gather(readLayer(buildContext(context)));
  expect(entries.map(({ path }) => path)).toEqual(["Dockerfile", ".dockerignore", "kept.log", "run.sh"]);
  expect(entries[3]).toMatchObject({ mode: 0o755, size: 10 });
  expect(String(context[0]?.content)).toBe("FROM x\n");
});

test("the same files give the same bytes, whenever they are sent", async () => {
  const tar = async () =>
    Buffer.concat(await gather(buildContext(buildFiles({ files: [file("a", "1")] }, "FROM x\n"))));
  expect(await tar()).toEqual(await tar());
});
