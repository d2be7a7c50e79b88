import { expect, test } from "vitest";
import { buildFailure } from "./build-failure.ts";

const dockerfile = "# a comment\nFROM debian\n\nCOPY a.txt b.txt /app/\nRUN apt-get update \\\n  && make\n";
const output = (step: number, tail = "") => ({ step, tail, logFile: "/home/cache/docker/x.log" });

test("a command that fails is said with its line, its exit code, the end of its output and the log", () => {
  const message = "The command '/bin/sh -c apt-get update   && make' returned a non-zero code: 2";
  expect(buildFailure(dockerfile, { kind: "error", message }, output(3, "no rule"))).toMatchObject({
    code: "sandbox-failed",
    retryable: false,
    message:
      "Dockerfile, line 5: RUN apt-get update   && make exits with 2:\nno rule\n(build log: /home/cache/docker/x.log)",
  });
});

test("a file that is not in the context is the task's mistake", () => {
  const message =
    "COPY failed: file not found in build context or excluded by .dockerignore: stat b.txt: file does not exist";
  expect(buildFailure(dockerfile, { kind: "error", message }, output(2))).toMatchObject({
    code: "invalid-task",
    message: expect.stringMatching(/^Dockerfile, line 4: `b.txt` is not in the task's environment folder/),
  });
});

test("a build without an end is said with the limit that it met", () => {
  expect(buildFailure(dockerfile, { kind: "late", timeoutSec: 9 }, output(3)).message).toContain(
    "took longer than the 9 s of build_timeout_sec",
  );
});

test("what wants BuildKit is refused, and what to do instead is said", () => {
  const message =
    "the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn";
  expect(buildFailure(dockerfile, { kind: "error", message }, output(3))).toMatchObject({
    code: "unsupported",
    message: expect.stringMatching(/line 5: .* wants BuildKit.*docker_image/),
  });
});

test("an engine that fails before the first instruction may be tried again", () => {
  const error = new Error("socket hang up");
  expect(
    buildFailure(dockerfile, { kind: "error", message: "socket hang up", error }, output(0)),
  ).toMatchObject({
    code: "sandbox-failed",
    retryable: true,
    message: expect.stringContaining("Dockerfile failed: socket hang up"),
  });
});
