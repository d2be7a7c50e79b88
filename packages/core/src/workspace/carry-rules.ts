/**
 * Which changes of an agent could change how a verifier runs rather than what it judges. Paths here are
 * relative to `/`, without a leading slash.
 */

/** Folders that belong to the verification or to the system. `/logs/agent` and `/logs/artifacts` are not among them. */
const notWorkspace: readonly { name: string; matches: RegExp; owner: string }[] = [
  { name: "/tests", matches: /^tests(\/|$)/, owner: "the verifier's own" },
  { name: "/solution", matches: /^solution(\/|$)/, owner: "the reference solution's" },
  { name: "/logs", matches: /^logs($|\/(?!(agent|artifacts)(\/|$)))/, owner: "the verifier's own" },
  { name: "/proc, /sys, /dev, /run", matches: /^(proc|sys|dev|run)(\/|$)/, owner: "the system's" },
];

/** Where the programs of the base live; what the base has there stays as it is. */
const programFolders = /^(usr|bin|sbin|opt|lib|lib32|lib64|libx32|etc\/alternatives)(\/|$)/;

const hooks: readonly { matches: RegExp; reason: string }[] = [
  {
    matches:
      /^etc\/ld\.so\.(preload|cache|conf)$|^etc\/ld\.so\.conf\.d(\/|$)|(^|\/)glibc-hwcaps(\/|$)|\/gconv-modules/,
    reason: "the dynamic loader would load it into every program",
  },
  {
    matches: /(^|\/)(sitecustomize|usercustomize)(\.[^/]*|\/.*)?$/,
    reason: "Python would run it at every start",
  },
  {
    matches: /^(usr|lib|opt)\/(.*\/)?(python\d+\.zip|pyvenv\.cfg)$/,
    reason: "it would change where Python finds its own library",
  },
  {
    matches: /^etc\/(profile|bash\.bashrc|bashrc|environment|zshenv)$|^etc\/(profile\.d|zsh)(\/|$)/,
    reason: "shells would run it at every start",
  },
  {
    matches: /^(root|home\/[^/]+)\/(\.bashrc|\.profile|\.bash_profile|\.bash_login|\.local\/bin\/env)$/,
    reason: "shells would run it at every start",
  },
  {
    matches: /^etc\/(hosts|resolv\.conf|nsswitch\.conf|pip\.conf)$|^etc\/apt(\/|$)/,
    reason: "it would change where the verifier's downloads come from",
  },
  {
    matches: /^(conftest\.py|\.?pytest\.ini|pyproject\.toml|tox\.ini|setup\.cfg)$/,
    reason: "pytest would read it for tests in any folder",
  },
];

/** The name of the folder that is never carried and that holds this path, with whose it is. */
export function notWorkspaceFolder(path: string): { name: string; owner: string } | undefined {
  return notWorkspace.find(({ matches }) => matches.test(path));
}

/** Why a path by itself may not be carried. */
export function hookReason(path: string): string | undefined {
  return hooks.find(({ matches }) => matches.test(path))?.reason;
}

export function isProgramPath(path: string): boolean {
  return programFolders.test(path);
}

/** Compiled Python in a program folder: Python trusts it without a look at the source. */
export function isCompiledPython(path: string): boolean {
  return isProgramPath(path) && /\.py[co]$/.test(path);
}

/** Files whose content decides; at most this many bytes of them are looked at, larger ones are refused. */
export const inspectedBytes = 64 * 1024;

const pathFile = /(^|\/)(site|dist)-packages\/[^/]+\.pth$/;
const entryPoints = /\.(dist|egg)-info\/entry_points\.txt$/;
const personal = /^(root|home\/[^/]+)\/\.local\//;

/** Whether the file's content must be seen before it is carried. */
export function needsInspection(path: string): boolean {
  return (isProgramPath(path) || personal.test(path)) && (pathFile.test(path) || entryPoints.test(path));
}

/** Why this content may not be carried. A `.pth` file of plain paths (an editable install) may. */
export function contentReason(path: string, content: string): string | undefined {
  if (pathFile.test(path)) {
    return /^\s*import\s/m.test(content) ? "Python would run it at every start" : undefined;
  }
  return content.includes("pytest11") ? "pytest would load it as a plugin" : undefined;
}

/** The usual search path for commands, without leading slashes. */
const commandFolders = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"];
const personalCommands = /^(root|home\/[^/]+)\/\.local\/bin\/([^/]+)$/;

/** Where the base may have the command that a new file of this path would stand in for. */
export function shadowedCommands(path: string): string[] {
  const cut = path.lastIndexOf("/");
  const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
  const isCommand = commandFolders.includes(folder) || personalCommands.test(path);
  return isCommand
    ? commandFolders.filter((other) => other !== folder).map((other) => `/${other}/${name}`)
    : [];
}
