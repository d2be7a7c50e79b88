import type { Writable } from "node:stream";

const headerBytes = 8;

/**
 * Splits an attached stream into standard output and errors, as the engine frames them: the stream's number, three
 * zeros, the length in four bytes, the content. Waits for whoever reads too slowly.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export async function demultiplex(
  source: AsyncIterable<Buffer>,
  { stdout, stderr }: { stdout: Writable; stderr: Writable },
): Promise<void> {
  let header: Buffer = Buffer.alloc(0);
  let left = 0;
  let target = stdout;
  for await (let chunk of source) {
    while (chunk.length > 0) {
      if (left === 0) {
        const missing = headerBytes - header.length;
        header = Buffer.concat([header, chunk.subarray(0, missing)]);
        chunk = chunk.subarray(missing);
        if (header.length < headerBytes) break;
        target = header[0] === 2 ? stderr : stdout;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const part = chunk.subarray(0, left);
      chunk = chunk.subarray(part.length);
      left -= part.length;
      await put(target, part);
    }
  }
}

async function put(target: Writable, part: Buffer): Promise<void> {
  if (target.destroyed || target.write(part)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      target.off("drain", done).off("close", done);
      resolve();
    };
    target.on("drain", done).on("close", done);
  });
}
