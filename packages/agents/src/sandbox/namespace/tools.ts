import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** Variables with which host tools run: none of ours reaches them, and messages come in English. */
export const toolEnv = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

/** Whether a tool is where sandboxes look for tools. */
export function isInstalled(tool: string): boolean {
  return toolEnv.PATH.split(":").some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
