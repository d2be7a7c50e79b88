import type { Box } from "./box.ts";
import { failed, runOwn } from "./own-script.ts";

/**
 * Stops everything in the box but its first process, the box's own (`$1`) and this script with the shell that waits
 * for it, until no new one is found. Prints whom.
 */
const freezeScript = `
kept=" 1 $1 $$ $PPID "
stopped=' '
more=1
while [ -n "$more" ]; do
  more=
  for folder in /proc/[0-9]*; do
    pid=\${folder#/proc/}
    case $kept$stopped in *" $pid "*) continue ;; esac
    if kill -STOP "$pid" 2> /dev/null; then
      stopped="$stopped$pid "
      more=1
    fi
  done
done
echo "$stopped"
`;

/**
 * Stops whatever still runs in a box, so that its files stay as they are listed, until the result is disposed.
 * @throws TracemillError `sandbox-failed`.
 */
export async function frozen(box: Box): Promise<AsyncDisposable> {
  const { exitCode, stdout, stderr } = await runOwn(box, freezeScript);
  if (exitCode !== 0) throw failed("stopping the processes", exitCode, stderr);
  const pids = stdout.match(/\d{1,9}/g) ?? [];
  return {
    [Symbol.asyncDispose]: async () => {
      if (pids.length === 0 || !box.isAlive) return;
      await runOwn(box, `kill -CONT ${pids.join(" ")} 2> /dev/null\n`);
    },
  };
}
