import { describe, expect, test } from "vitest";
import { failureIn, mayPass } from "./build-failure.ts";

const buildKit = `#5 [2/3] RUN apt-get install -y nosuch
#5 0.312 Reading package lists...
#5 1.234 E: Unable to locate package nosuch
#5 ERROR: process "/bin/sh -c apt-get install -y nosuch" did not complete successfully: exit code: 100
------
 > [2/3] RUN apt-get install -y nosuch:
0.312 Reading package lists...
1.234 E: Unable to locate package nosuch
------
Dockerfile:3
--------------------
   1 |     FROM debian:bookworm
   3 | >>> RUN apt-get install -y nosuch
--------------------
ERROR: failed to build: failed to solve: process "/bin/sh -c apt-get install -y nosuch" did not complete successfully: exit code: 100`;

const older = `Step 2/3 : RUN make all
 ---> Running in 0a1b2c3d4e5f
make: *** No rule to make target 'all'.  Stop.
The command '/bin/sh -c make all' returned a non-zero code: 2`;

const noImage = `#2 [internal] load metadata for docker.io/acme/none:1
#2 ERROR: docker.io/acme/none:1: not found
------
 > [internal] load metadata for docker.io/acme/none:1:
------
ERROR: failed to build: failed to solve: docker.io/acme/none:1: not found`;

const busy = `#2 ERROR: unexpected status code https://registry-1.docker.io/v2/library/debian/manifests/bookworm: 429 Too Many Requests
ERROR: failed to build: failed to solve: toomanyrequests: You have reached your unauthenticated pull rate limit.`;

const linesOf = (text: string): string[] => text.split("\n");

describe("why a build failed", () => {
  test("is Docker's last word and what the failing step said", () => {
    const said = failureIn(linesOf(buildKit));
    expect(said).toContain(
      'process "/bin/sh -c apt-get install -y nosuch" did not complete successfully: exit code: 100',
    );
    expect(said).toContain("last output: Reading package lists... | E: Unable to locate package nosuch");
  });

  test("is found in the older builder's output as well", () => {
    expect(failureIn(linesOf(older))).toBe(
      "The command '/bin/sh -c make all' returned a non-zero code: 2; last output: make: *** No rule to make target 'all'.  Stop.",
    );
  });

  test("names an image that is not there", () => {
    expect(failureIn(linesOf(noImage))).toBe(
      "failed to build: failed to solve: docker.io/acme/none:1: not found",
    );
  });

  test("is said to be unknown when Docker says nothing", () => {
    expect(failureIn([])).toBe("docker said nothing");
  });
});

test.each([
  ["a registry that is busy", busy, true],
  [
    "a name server that is away",
    "ERROR: failed to solve: dial tcp: lookup registry-1.docker.io: no such host",
    true,
  ],
  ["a step of the Dockerfile", buildKit, false],
  ["a step in the older builder", older, false],
  ["an image that is not there", noImage, false],
])("%s: whether the same build may succeed later", (_, text, expected) => {
  expect(mayPass(linesOf(text))).toBe(expected);
});
