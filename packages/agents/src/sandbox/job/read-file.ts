import { TracemillError } from "@tracemill/core/errors.ts";
import type { Box } from "./box.ts";
import { failed, printed } from "./own-script.ts";
import { quoted } from "./script.ts";
import { assertAbsolute } from "./write-files.ts";

const code = { folder: 21, irregular: 22, absent: 23 } as const;

/**
 * Reads a regular file, following links: none leads out of the box.
 * @throws TracemillError `invalid-input` for anything else, and for more than `maxBytes`.
 */
export async function readFileIn(box: Box, path: string, maxBytes: number): Promise<Buffer | undefined> {
  assertAbsolute(path);
  const script = `path=${quoted(path)}
if [ -d "$path" ]; then exit ${code.folder}; fi
if [ ! -e "$path" ]; then exit ${code.absent}; fi
if [ ! -f "$path" ]; then exit ${code.irregular}; fi
exec head -c ${maxBytes + 1} -- "$path"
`;
  const output = printed(box, script);
  const chunks: Buffer[] = [];
  let size = 0;
  for (let next = await output.next(); ; next = await output.next()) {
    if (next.done === true) return contentOf(path, Buffer.concat(chunks), next.value);
    size += next.value.length;
    chunks.push(next.value);
    if (size <= maxBytes) continue;
    await output.return({ exitCode: 0, stderr: "" });
    throw new TracemillError("invalid-input", `${path} is larger than ${maxBytes} bytes`);
  }
}

function contentOf(
  path: string,
  content: Buffer,
  { exitCode, stderr }: { exitCode: number; stderr: string },
): Buffer | undefined {
  switch (exitCode) {
    case 0:
      return content;
    case code.absent:
      return undefined;
    case code.folder:
      throw new TracemillError("invalid-input", `${path} is a folder`);
    case code.irregular:
      throw new TracemillError("invalid-input", `${path} is no regular file`);
    default:
      throw failed(`reading ${path}`, exitCode, stderr);
  }
}
