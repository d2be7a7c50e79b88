import { type LayerEntry, readLayer, writeLayer } from "../workspace/layer.ts";
import { redactBytes } from "./redact-bytes.ts";
import { type RedactionCounts, sumOfCounts } from "./redactor.ts";
import { type ScanningRedactor, withMarks } from "./scanning-redactor.ts";

/** A file that is not what it was. */
export interface RedactedFile {
  /** Absolute; itself without secrets. */
  path: string;
  counts: RedactionCounts;
}

/** Redacted files that a record names; more of them say no more. */
const namedFiles = 20;

/** As a record names them. */
export function namesOf(files: readonly RedactedFile[]): string[] {
  return files.slice(0, namedFiles).map(({ path }) => path);
}

/** More files than this are summed up under the path `…`: a record stays small whatever an agent does. */
const listed = 200;

/**
 * Takes secrets out of a workspace (a tar in OCI layer convention): out of its files' contents, which keep their sizes,
 * and out of the names and the targets of links. Contents that are compressed or encrypted are not looked into. The same
 * tar gives the same bytes; memory does not grow with it.
 * @returns the tar, and the files that changed; that list is complete once the tar has been read.
 * @throws TracemillError `invalid-archive` while the tar is read.
 */
export function redactTar(
  tar: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
): { tar: AsyncIterable<Uint8Array>; files: readonly RedactedFile[] } {
  const files: RedactedFile[] = [];
  return { tar: writeLayer(redacted(tar, redactor, files)), files };
}

async function* redacted(
  tar: AsyncIterable<Uint8Array>,
  redactor: ScanningRedactor,
  files: RedactedFile[],
): AsyncGenerator<LayerEntry> {
  for await (const entry of readLayer(tar)) {
    const counts: Record<string, number> = {};
    const counting: ScanningRedactor = {
      ...redactor,
      count(kind) {
        counts[kind] = (counts[kind] ?? 0) + 1;
        redactor.count(kind);
      },
    };
    // With the slash that a tar leaves out, by which a home folder is told.
    const path = withMarks(`/${entry.path}`, counting).slice(1);
    if (entry.type === "file") yield { ...entry, path, body: redactBytes(entry.body, counting) };
    else if (entry.type === "symlink") yield { ...entry, path, target: withMarks(entry.target, counting) };
    else yield { ...entry, path };
    // The writer has read the body when it asks for the next entry.
    if (Object.keys(counts).length > 0) list(files, `/${path}`, counts);
  }
}

function list(files: RedactedFile[], path: string, counts: Record<string, number>): void {
  if (files.length < listed) {
    files.push({ path, counts });
    return;
  }
  const rest = files[listed]?.counts ?? {};
  files[listed] = { path: "…", counts: sumOfCounts(rest, counts) ?? {} };
}
