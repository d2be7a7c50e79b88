import type { TaskFile } from "./task-files.ts";

/** Scripts that the platform itself starts, and what lies beside them. `environment/` may hold anything. */
const RUN_BY_US = /^(steps\/[^/]+\/)?(tests|solution)\/|^steps\/[^/]+\/workdir\/setup\.sh$/;
const BOM = [0xef, 0xbb, 0xbf];

/**
 * What would keep a shell script from running: Windows line ends, or a byte order mark, which both hide its
 * first line from the kernel. `undefined` for files that are fine or are no shell scripts.
 */
export function scriptProblem({ path, content }: TaskFile): string | undefined {
  if (!RUN_BY_US.test(path) || !(path.endsWith(".sh") || isShebang(content))) return undefined;
  if (startsWith(content, BOM)) {
    return `${path}: begins with a byte order mark, so that it does not run; remove it: sed -i '1s/^\\xEF\\xBB\\xBF//' ${path}`;
  }
  if (Buffer.from(content.buffer, content.byteOffset, content.byteLength).includes("\r\n")) {
    return `${path}: has Windows line ends (CRLF), which shells do not understand; convert it: sed -i 's/\\r$//' ${path}`;
  }
  return undefined;
}

function isShebang(content: Uint8Array): boolean {
  const start = startsWith(content, BOM) ? content.subarray(BOM.length) : content;
  return start[0] === 0x23 && start[1] === 0x21;
}

function startsWith(content: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => content[index] === byte);
}
