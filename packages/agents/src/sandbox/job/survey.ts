import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { Box } from "./box.ts";
import { listScript } from "./list-script.ts";
import { type Listing, parseListing } from "./listing.ts";
import { wholeOutput } from "./own-script.ts";
import { quoted } from "./script.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Of a listing: some five million entries. */
const maxListingBytes = 512 * 1024 * 1024;
const maxTextBytes = 4 * 1024 * 1024;

/** Variables that say something about the container, or that a shell sets for itself. */
const ownVariables = /^(AWS_|ECS_)|^(HOSTNAME|PWD|OLDPWD|SHLVL|_)$/;

/** What the box was before anything ran in it. */
export interface Survey {
  /** The image's own variables. */
  env: Record<string, string>;
  /** The image's working directory. */
  cwd: string;
  /** Where something is mounted, without the slash at its start. */
  mounts: ReadonlySet<string>;
  /** Its files, small: it is kept as long as the sandbox. */
  files: PackedListing;
}

export class PackedListing {
  readonly #packed: Uint8Array;

  private constructor(packed: Uint8Array) {
    this.#packed = packed;
  }

  static async of(bytes: Buffer): Promise<PackedListing> {
    return new PackedListing(await compress(bytes));
  }

  async unpack(): Promise<Listing> {
    return parseListing(await decompress(this.#packed));
  }
}

/** Lists a box's files, which takes about 1 s for 50,000 of them. @throws TracemillError `sandbox-failed`. */
export async function listBox(box: Box): Promise<Buffer> {
  return wholeOutput(box, listScript, { doing: "listing the files", maxBytes: maxListingBytes });
}

/**
 * Looks at a box that nothing has run in yet, once it has the folders that every sandbox has.
 * @param folders absolute paths.
 */
export async function survey(box: Box, folders: (cwd: string) => readonly string[]): Promise<Survey> {
  const text = async (script: string, doing: string): Promise<string> =>
    (await wholeOutput(box, script, { doing, maxBytes: maxTextBytes })).toString("utf8");
  const [environ, cwd, mountInfo] = await Promise.all([
    text('exec cat "/proc/$1/environ"\n', "reading the variables"),
    text("pwd -P\n", "finding the working directory"),
    text("exec cat /proc/self/mountinfo\n", "reading the mounts"),
  ]);
  const wanted = folders(cwd.replace(/\n$/, "")).map(quoted).join(" ");
  await text(`mkdir -p -- ${wanted}\n`, "making folders");
  return {
    env: variablesIn(environ),
    cwd: cwd.replace(/\n$/, ""),
    mounts: mountsIn(mountInfo),
    files: await PackedListing.of(await listBox(box)),
  };
}

function variablesIn(environ: string): Record<string, string> {
  const pairs = environ.split("\0").flatMap((text) => {
    const cut = text.indexOf("=");
    const name = text.slice(0, cut);
    return cut < 1 || ownVariables.test(name) ? [] : [[name, text.slice(cut + 1)] as const];
  });
  return Object.fromEntries(pairs);
}

/** The fifth field of each line, with blanks and the like as octal numbers (proc(5)). */
function mountsIn(mountInfo: string): Set<string> {
  const paths = mountInfo.split("\n").map((line) => line.split(" ")[4] ?? "");
  const plain = paths.map((path) =>
    path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
  );
  return new Set(plain.map((path) => path.slice(1)));
}
