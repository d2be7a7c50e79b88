import { isReservedName, type LayerEntry } from "../../workspace/layer.ts";
import type { FolderEntry, TrialFolder } from "./folder.ts";
import { isTrajectoryFile } from "./trajectory-files.ts";

/** Largest sum of a trial's files, and most of them, that an import takes. */
const maxBytes = 256 * 1024 * 1024;
const maxFiles = 10_000;

/** A file of a trial folder that was not taken, and why. */
export interface LeftFile {
  path: string;
  reason: string;
}

/**
 * The files of a trial as a workspace, at the places where a sandbox had them: what was collected
 * (`artifacts/app/x` is `app/x`), the agent's own logs (`logs/agent/`), the verifier's (`logs/verifier/`), and the
 * trial's log. Links are refused; files beyond 256 MiB or 10,000 in all are left out. Streams.
 * @param left is given what was not taken.
 */
export async function* workspaceEntries(
  trial: Pick<TrialFolder, "entries">,
  left: (file: LeftFile) => void,
): AsyncGenerator<LayerEntry> {
  const taken = { bytes: 0, files: 0 };
  for await (const entry of trial.entries()) {
    const path = workspacePath(entry.path);
    if (path === undefined) continue;
    const reason = refusal(entry, path, taken);
    if (reason !== undefined || entry.kind !== "file") {
      left({ path: entry.path, reason: reason ?? "no file" });
      continue;
    }
    taken.bytes += entry.size;
    taken.files += 1;
    yield {
      type: "file",
      path,
      mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755,
      size: entry.size,
      body: entry.open(),
    };
  }
}

function refusal(
  entry: FolderEntry,
  path: string,
  taken: { bytes: number; files: number },
): string | undefined {
  if (entry.kind === "other") return "a link, or no plain file";
  if (path.split("/").some(isReservedName)) return "its name means a deletion in a workspace archive";
  if (taken.files >= maxFiles) return `a trial's first ${maxFiles} files are taken`;
  if (taken.bytes + entry.size > maxBytes) return `a trial's files are taken up to ${maxBytes} bytes`;
  return undefined;
}

/** Files that an import reads itself. */
const readElsewhere = /^verifier\/(test-stdout\.txt|test-stderr\.txt|reward\.txt|reward\.json)$/;

/** Where a file of a trial folder lay in its sandbox; `undefined` for what is no such file, or is read otherwise. */
function workspacePath(path: string): string | undefined {
  if (readElsewhere.test(path) || path === "artifacts/manifest.json") return undefined;
  const [, step = "", folder, rest = ""] =
    /^(?:steps\/([^/]+)\/)?(agent|verifier|artifacts)\/(.+)$/.exec(path) ?? [];
  if (folder === undefined)
    return path === "trial.log" || path === "exception.txt" ? `logs/harbor/${path}` : undefined;
  if (folder === "agent" && isTrajectoryFile(rest)) return undefined;
  const inside = folder === "artifacts" ? rest : `logs/${folder}/${rest}`;
  // A task of several steps has each folder once a step.
  return step === "" ? inside : `logs/harbor/steps/${step}/${folder}/${rest}`;
}

/**
 * Where a file of a workspace goes in a trial folder: the other way round. `undefined` for what Harbor writes itself
 * by now, such as its logs.
 */
export function trialPath(path: string): string | undefined {
  const [, folder, rest] = /^logs\/(agent|verifier)\/(.+)$/.exec(path) ?? [];
  if (folder !== undefined) {
    const own = `${folder}/${rest}`;
    return readElsewhere.test(own) || (folder === "agent" && isTrajectoryFile(rest ?? "")) ? undefined : own;
  }
  const step = /^logs\/harbor\/(steps\/.+)$/.exec(path)?.[1];
  if (path.startsWith("logs/harbor/")) return step;
  return path === "manifest.json" ? undefined : `artifacts/${path}`;
}
