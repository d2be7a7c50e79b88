import { Readable } from "node:stream";
import { buildContext, buildFiles } from "@tracemill/agents/sandbox/docker/build-context.ts";
import { messageOf } from "@tracemill/core/errors.ts";
import type Docker from "dockerode";
import { baseImage } from "./docker-engine.ts";

/** Counts up with what the suites want of their image. */
const tag = "tracemill/test-image:1";

/** Tests want Python, and `ps` to see what is left of processes; Dockerfiles of tests begin in `/app`. */
const dockerfile = `FROM ${baseImage}
RUN apt-get update && apt-get install -y --no-install-recommends python3 procps && rm -rf /var/lib/apt/lists/*
WORKDIR /app
`;

/** The image that sandboxes of the contract start from, made once in an engine. @returns its name, or why it cannot be made. */
export async function testImage(docker: Docker): Promise<{ image: string } | { missing: string }> {
  try {
    if (await isThere(docker)) return { image: tag };
    const context = Readable.from(buildContext(buildFiles({ files: [] }, dockerfile)), { objectMode: false });
    const progress = await docker.buildImage(context, { t: tag });
    await new Promise<void>((resolve, reject) =>
      docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve())),
    );
    return (await isThere(docker)) ? { image: tag } : { missing: "the image for tests cannot be built" };
  } catch (error) {
    return { missing: `the image for tests cannot be built: ${messageOf(error)}` };
  }
}

async function isThere(docker: Docker): Promise<boolean> {
  try {
    await docker.getImage(tag).inspect();
    return true;
  } catch {
    return false;
  }
}
