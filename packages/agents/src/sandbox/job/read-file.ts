import { TracemillError } from "@tracemill/core/errors.ts";
import type { Box } from "./box.ts";
import { failed } from "./own-script.ts";
import { ownSettings, quoted } from "./script.ts";
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
  const { stdout, stderr, ended, killTree } = await box.run(ownSettings + script, { input: false });
  let errors = "";
  stderr.on("data", (chunk: Buffer) => {
    if (errors.length < 4096) errors += chunk.toString("utf8");
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdout) {
    size += (chunk as Buffer).length;
    chunks.push(chunk as Buffer);
    if (size > maxBytes) break;
  }
  if (size > maxBytes) {
    killTree();
    throw new TracemillError("invalid-input", `${path} is larger than ${maxBytes} bytes`);
  }
  const exitCode = await ended;
  if (exitCode === 0) return Buffer.concat(chunks);
  if (exitCode === code.absent) return undefined;
  if (exitCode === code.folder) throw new TracemillError("invalid-input", `${path} is a folder`);
  if (exitCode === code.irregular) throw new TracemillError("invalid-input", `${path} is no regular file`);
  throw failed(`reading ${path}`, exitCode, errors);
}
