import { expect, test } from "vitest";
import { changesIn, type OpenSandbox, textIn } from "./open-sandbox.ts";

const file = (path: string, text: string, mode = 0o644) => ({ path, content: Buffer.from(text), mode });

/** What every sandbox honours of a Dockerfile. */
export function sandboxBuilds(open: OpenSandbox): void {
  test("a Dockerfile's files, folders, variables and commands are there", async () => {
    const dockerfile = `FROM python:3.12-slim
ARG NAME=world
ENV GREETING="hello $NAME" LEVEL=1
WORKDIR /srv/work
COPY tool.sh /usr/local/bin/tool
COPY data/ ./data
COPY *.txt texts/
RUN echo "$GREETING from $(pwd)" > greeting \\
    # a comment in between
    && tool >> greeting
RUN ["/bin/sh", "-c", "echo exec form >> greeting"]
SHELL ["/bin/bash", "-c"]
RUN [[ -n $BASH_VERSION ]] && echo bash >> greeting
EXPOSE 80
LABEL a=b
CMD ["true"]
`;
    const files = [
      file("Dockerfile", dockerfile),
      file("tool.sh", "#!/bin/sh\necho tool\n", 0o755),
      file("data/deep/one", "1"),
      file("a.txt", "a"),
      file("b.txt", "b"),
      file("c.md", "c"),
    ];
    await using sandbox = await open({ environment: { dockerfile, files } });
    expect(sandbox.workdir).toBe("/srv/work");
    expect(await textIn(sandbox, "/srv/work/greeting")).toBe(
      "hello world from /srv/work\ntool\nexec form\nbash\n",
    );
    expect((await sandbox.exec(["/bin/sh", "-c", "echo $LEVEL $NAME; find . -type f | sort"])).stdout).toBe(
      "1\n./data/deep/one\n./greeting\n./texts/a.txt\n./texts/b.txt\n",
    );
    expect(await changesIn(sandbox)).toEqual([]);
  });

  test("a second sandbox of the same environment begins where the first one did", async () => {
    const dockerfile = "FROM base\nRUN echo built > /built; date +%N >> /built\n";
    await using first = await open({ environment: { dockerfile } });
    await first.exec(["rm", "/built"]);
    await using second = await open({ environment: { dockerfile } });
    await using third = await open({ environment: { dockerfile } });
    expect(await textIn(second, "/built")).toMatch(/^built\n\d+\n$/);
    expect(await textIn(third, "/built")).toBe(await textIn(second, "/built"));
    expect(third.description.environment).toBe(first.description.environment);
  });

  test("later layers delete and replace what earlier ones made", async () => {
    const dockerfile = `FROM base
RUN mkdir -p /data/sub && echo 1 > /data/sub/a && echo 1 > /data/b && echo 1 > /etc/made
RUN rm -r /data/sub /etc/made && mkdir /data/sub && echo 2 > /data/sub/new
RUN rm /data/b && mkdir /data/b && echo 3 > /data/b/in
`;
    await using sandbox = await open({ environment: { dockerfile } });
    const { stdout } = await sandbox.exec(["find", "/data", "/etc/made"]);
    expect(stdout.trim().split("\n").toSorted()).toEqual([
      "/data",
      "/data/b",
      "/data/b/in",
      "/data/sub",
      "/data/sub/new",
    ]);
    expect(await sandbox.baseHas("/data/sub/a")).toBe(false);
    expect(await sandbox.baseHas("/data/sub/new")).toBe(true);
    await sandbox.exec(["rm", "-r", "/data/sub"]);
    expect(await changesIn(sandbox)).toEqual(["directory data", "whiteout data/sub"]);
  });

  test("a command that fails is named, with its line and the end of its output", async () => {
    const dockerfile = "FROM base\n\nRUN echo some output && \\\n  echo a reason >&2 && exit 3\n";
    await expect(open({ environment: { dockerfile } })).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringMatching(/line 3: RUN echo some output.* exits with 3.*a reason/s),
    });
  });

  test("a build that takes too long ends", async () => {
    const environment = { dockerfile: "FROM base\nRUN sleep 1000\n", buildTimeoutSec: 1 };
    await expect(open({ environment })).rejects.toMatchObject({
      code: "sandbox-failed",
      message: expect.stringContaining("build_timeout_sec"),
    });
  });

  test("a COPY without its file is named", async () => {
    const dockerfile = "FROM base\nCOPY missing.txt /app/\n";
    await expect(open({ environment: { dockerfile } })).rejects.toMatchObject({
      code: "invalid-task",
      message: expect.stringMatching(/line 2: `missing.txt`/),
    });
  });
}
