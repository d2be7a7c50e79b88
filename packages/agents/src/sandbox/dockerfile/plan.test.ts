import { expect, test } from "vitest";
import { defaultEnv, planBuild } from "./plan.ts";

test("a Dockerfile becomes steps, variables and a working directory", () => {
  const plan = planBuild(`# syntax=docker/dockerfile:1
ARG VERSION=3.12
FROM --platform=linux/amd64 python:\${VERSION}-slim AS base
ARG VERSION
ARG WHO=world
ENV GREETING="hello $WHO" PATH=/opt/bin:$PATH
WORKDIR /srv
WORKDIR work
RUN apt-get update && \\
    # a comment
    apt-get install -y \\

    curl
RUN ["echo", "a b"]
COPY --chown=root:root --chmod=0755 a.txt "b c.txt" dst/
COPY ["x y", "z"]
ADD local.txt .
HEALTHCHECK CMD true
VOLUME /data
`);
  expect(plan).toMatchObject({ from: "python:3.12-slim", workdir: "/srv/work" });
  expect(plan.env).toEqual({
    ...defaultEnv,
    GREETING: "hello world",
    PATH: `/opt/bin:${defaultEnv.PATH}`,
  });
  expect(plan.steps).toMatchObject([
    { line: 7, kind: "folder", path: "/srv" },
    { line: 8, kind: "folder", path: "/srv/work" },
    {
      line: 9,
      kind: "run",
      command: ["/bin/sh", "-c", "apt-get update &&     apt-get install -y     curl"],
      cwd: "/srv/work",
      env: { WHO: "world", VERSION: "3.12", GREETING: "hello world" },
    },
    { line: 14, kind: "run", command: ["echo", "a b"] },
    { line: 15, kind: "copy", sources: ["a.txt", "b c.txt"], target: "/srv/work/dst/", mode: 0o755 },
    { line: 16, kind: "copy", sources: ["x y"], target: "/srv/work/z" },
    { line: 17, kind: "copy", sources: ["local.txt"], target: "/srv/work/" },
  ]);
});

test("ENV in its old form takes the rest of the line", () => {
  expect(planBuild("FROM x\nENV TEXT some words  here").env.TEXT).toBe("some words  here");
});

test("a here-document is the script, or the shell's own", () => {
  const { steps } = planBuild(
    "FROM x\nRUN <<EOF\necho one\necho $two\nEOF\nRUN cat <<EOF > /file\ntext\nEOF\n",
  );
  expect(steps).toMatchObject([
    { command: ["/bin/sh", "-c", "echo one\necho $two"] },
    { command: ["/bin/sh", "-c", "cat <<EOF > /file\ntext\nEOF"] },
  ]);
});

test("SHELL changes how later commands run", () => {
  const { steps } = planBuild('FROM x\nSHELL ["/bin/bash", "-ec"]\nRUN x\n');
  expect(steps).toMatchObject([{ command: ["/bin/bash", "-ec", "x"] }]);
});

test.each([
  ["FROM a\nFROM b", 2, "second FROM"],
  ["FROM scratch", 1, "FROM scratch"],
  ["FROM a\nRUN --mount=type=cache,target=/x y", 2, "RUN --mount"],
  ["FROM a\nRUN --network=none y", 2, "RUN --network"],
  ["FROM a\nCOPY --from=base /x /y", 2, "COPY --from"],
  ["FROM a\nCOPY --chown=1000 x /y", 2, "COPY --chown=1000"],
  ["FROM a\nCOPY <<EOF /y\ntext\nEOF", 2, "here-document"],
  ["FROM a\n\nADD https://example.org/x /y", 3, "ADD of a URL"],
  ["FROM a\nADD x.tar.gz /y", 2, "ADD of an archive"],
  ["FROM a\nUSER nobody", 2, "USER nobody"],
  ["FROM a\nONBUILD RUN x", 2, "ONBUILD"],
  ["FROM a\nENV X=${Y#z}", 2, "${Y#z}"],
  ["FROM a\nFOO bar", 2, "FOO"],
])("what cannot be honoured is refused with its line: %j", (text, line, name) => {
  expect(() => planBuild(text)).toThrow(
    expect.objectContaining({
      code: "unsupported",
      message: expect.stringContaining(name),
    }),
  );
  expect(() => planBuild(text)).toThrow(`Dockerfile, line ${line}: `);
});

test.each(["", "# only a comment", "RUN x\nFROM a"])(
  "a file that is no Dockerfile is refused: %j",
  (text) => {
    expect(() => planBuild(text)).toThrow(expect.objectContaining({ code: "invalid-task" }));
  },
);
