/**
 * What runs in a container between the engine and a command, for any POSIX shell. Values come as positional
 * parameters; none is pasted into the text.
 */

/**
 * Says its process id, then becomes a command with nothing of the container's own variables. It is a session of its own:
 * the engine starts each command so. `$1`: largest file in blocks of 512 bytes, `$2`: folder, then `NAME=value`…, then
 * the command. HOME is the user's, unless the variables say otherwise.
 */
export const startScript = `
echo $$
ulimit -c 0 2> /dev/null
ulimit -f "$1" 2> /dev/null
umask 022
cd "$2" 2> /dev/null || { echo "cannot change directory to $2" >&2; exit 126; }
shift 2
env=/usr/bin/env
[ -x $env ] || env=/bin/env
exec $env -i -- "HOME=\${HOME:-/}" "$@"
`;

/**
 * Kills the process \`$1\`, whoever descends from one that is killed, and whoever is in the session of one. Three times
 * over, for what forked meanwhile. Uses nothing but the shell: \`/proc/PID/stat\` has, after the name, which may hold
 * anything, state, parent, group and session.
 */
export const killScript = `
tree=" $1 "
for round in 1 2 3; do
  before=
  while [ "$tree" != "$before" ]; do
    before=$tree
    for stat in /proc/[0-9]*/stat; do
      { read -r line < "$stat"; } 2> /dev/null || continue
      pid=\${stat#/proc/}
      pid=\${pid%/stat}
      set -f
      set -- \${line##*) }
      set +f
      case $tree in
        *" $pid "*) ;;
        *" $2 "* | *" $4 "*) tree="$tree$pid " ;;
      esac
    done
  done
  for pid in $tree; do kill -KILL "$pid" 2> /dev/null; done
done
`;

/** Empties the folder `$1`, unless it is a link, but for the other names. */
export const emptyScript = `
from=$1
shift
if [ -L "$from" ] || [ ! -d "$from" ]; then exit 0; fi
for path in "$from"/* "$from"/.[!.]* "$from"/..?*; do
  for name; do if [ "$path" = "$from/$name" ]; then continue 2; fi; done
  if [ -e "$path" ] || [ -L "$path" ]; then rm -rf -- "$path" || exit 1; fi
done
`;
