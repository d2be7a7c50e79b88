import type { ScanningRedactor } from "./scanning-redactor.ts";

/**
 * A redactor that leaves what stands in these files, wherever it stands. A secret in a task's own files is none that an
 * agent could give away: the task's archive holds it as it is, and its tests may look for it.
 * @param files are looked through once something has been found.
 */
export function sparing(redactor: ScanningRedactor, files: () => Iterable<Uint8Array>): ScanningRedactor {
  let spared: Set<string> | undefined;
  return {
    ...redactor,
    find: (text, binary) => {
      const findings = redactor.find(text, binary);
      if (findings.length === 0) return findings;
      spared ??= secretsIn(files(), redactor);
      return findings.filter(({ start, end }) => !spared?.has(text.slice(start, end)));
    },
  };
}

/** Read as Latin-1, as the files of a workspace are. */
function secretsIn(files: Iterable<Uint8Array>, redactor: ScanningRedactor): Set<string> {
  const secrets = new Set<string>();
  for (const content of files) {
    const text = Buffer.from(content).toString("latin1");
    for (const { start, end } of redactor.find(text)) secrets.add(text.slice(start, end));
  }
  return secrets;
}
