import { existsSync } from "node:fs";
import { join } from "node:path";
import { TracemillError } from "@tracemill/core/errors.ts";
import type { SandboxLayer } from "@tracemill/core/ports/sandbox.ts";
import type { HostBase } from "./host-base.ts";

/**
 * The tree of a sandbox.
 *
 *     /        trusted: read-only; `usr` is the host's, read-only. Tools that drop privileges run here.
 *     /sb      the sandbox's own root: overlays, `/proc`, `/dev`. Commands run with this as their root.
 *
 * A command's root is changed by chroot, whose only way out leads to the read-only tree above it; the host's
 * own root is gone by pivot_root. What runs with privileges never loads a file that the sandbox can change.
 */
export interface Tree {
  base: HostBase;
  /** Where it is put together, an empty folder. */
  at: string;
  /** Layers of the environment, topmost first: folders with one folder a mount in them. */
  layers: readonly string[];
  /** Changes of this sandbox: `upper/<name>` and `work/<name>`. */
  changes: string;
  /** Folders of this machine that are laid in, where `layers` has empty ones. */
  readOnly: readonly SandboxLayer[];
  network: "none" | "host";
}

/** The root's name among the folders of a layer. */
export const rootName = "root";

/** Parts of `/proc` that a host's root could write to by file permission alone, so they are read-only. */
export const readOnlyProc = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "driver", "mtrr"];
/** Parts of `/proc` that tell about the host. */
export const hiddenProc = [
  "kcore",
  "keys",
  "timer_list",
  "sched_debug",
  "kallsyms",
  "kmsg",
  "kpagecgroup",
  "config.gz",
];
const devices = ["null", "zero", "full", "random", "urandom", "tty"];

/** The overlays: all that both launchers share. One line a mount, for `mount -a -T`. */
export function overlayTable(tree: Tree): string[] {
  const { base, at, layers, changes, readOnly } = tree;
  const overlay = (target: string, name: string, lower: readonly string[]) => {
    const present = [...layers.map((layer) => join(layer, name)).filter((dir) => existsSync(dir)), ...lower];
    const options = `lowerdir=${present.map(checked).join(":")},upperdir=${checked(join(changes, "upper", name))},workdir=${checked(join(changes, "work", name))},userxattr`;
    if (options.length > mostOptions) {
      throw new TracemillError(
        "unsupported",
        `the environment has ${layers.length} layers; join RUN and COPY instructions of the Dockerfile, or choose a shorter directory`,
      );
    }
    return line("overlay", target, "overlay", options);
  };
  const sb = `${at}/sb`;
  return [
    line("overlay", at, "overlay", `lowerdir=${checked(base.empty)}:${checked(base.trusted)}`),
    ...base.mounts
      .filter(({ path }) => !path.startsWith("/var"))
      .map(({ path, lower }) =>
        line(
          "overlay",
          at + path,
          "overlay",
          `lowerdir=${checked(base.empty)}:${checked(lower.at(-1) ?? path)}`,
        ),
      ),
    overlay(sb, rootName, [base.root]),
    ...base.mounts.map(({ path, name, lower }) => overlay(sb + path, name, lower)),
    // An overlay without an upper folder cannot be made writable, which a bind mount could.
    ...readOnly.map(({ dir, path }) =>
      line("overlay", sb + path, "overlay", `lowerdir=${checked(base.empty)}:${checked(dir)}`),
    ),
  ];
}

/** The kernel takes at most a page of mount options. */
const mostOptions = 4000;

/** `/proc`, `/dev`, and the network's switch: what bwrap does by itself. */
export function systemTable({ at, network }: Tree): string[] {
  const proc = `${at}/sb/proc`;
  const present = (name: string) => existsSync(`/proc/${name}`);
  return [
    line("proc", proc, "proc", "nosuid,nodev,noexec"),
    ...readOnlyProc
      .filter(present)
      .map((name) => line(`${proc}/${name}`, `${proc}/${name}`, "none", "bind,ro")),
    ...hiddenProc.filter(present).map((name) => line("/dev/null", `${proc}/${name}`, "none", "bind")),
    ...devices.map((name) => line(`/dev/${name}`, `${at}/sb/dev/${name}`, "none", "bind")),
    line("devpts", `${at}/sb/dev/pts`, "devpts", "newinstance,ptmxmode=0666,mode=620,nosuid,noexec"),
    line("tmpfs", `${at}/sb/dev/shm`, "tmpfs", "nosuid,nodev,size=64m,mode=1777"),
    ...(network === "none" ? [line("sysfs", `${at}/net`, "sysfs", "nosuid,nodev,noexec")] : []),
  ];
}

function line(source: string, target: string, type: string, options: string): string {
  return `${escaped(source)} ${escaped(target)} ${type} ${escaped(options)} 0 0\n`;
}

/** fstab(5): white space as octal. */
function escaped(text: string): string {
  return text.replaceAll(/[ \t]/g, (space) => (space === " " ? "\\040" : "\\011"));
}

/** Overlay's own option syntax has no safe way to write these. */
function checked(path: string): string {
  if (!/[:,\\"\n]/.test(path)) return path;
  throw new TracemillError(
    "invalid-input",
    `${path}: the directory of sandboxes may not have a colon, comma, quote or backslash in its path; choose another home`,
  );
}
