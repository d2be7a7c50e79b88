/**
 * What runs between this process and a sandbox, as POSIX shell. Values come as positional parameters or in the
 * mount table; none is pasted into the text.
 */

/**
 * First process of a sandbox, in its new namespaces: says its process id as the host sees it, waits until its
 * user ids are mapped, and becomes the rest. A network namespace comes after the mapping, or its switches
 * would belong to nobody. `$1…`: what to become.
 */
export const begin = `
read -r pid rest < /proc/self/stat
echo "pid $pid"
read -r go || exit 1
exec "$@"
`;

/**
 * Then: mounts, leaves the host's root for good, and only waits. SIGCHLD is ignored, so the kernel reaps what
 * is orphaned inside. Nested user namespaces are switched off: they are the usual way to more of the kernel's
 * surface. `$1` mount table, `$2` the new root, `$3` "lo" when there is a network to bring up.
 */
export const mountAndWait = `
set -e
echo 0 > /proc/sys/user/max_user_namespaces
echo sandbox 2>/dev/null > /proc/sys/kernel/hostname || hostname sandbox 2>/dev/null || :
mount -a -T "$1"
if [ "$3" = lo ]; then echo 1 > "$2/net/class/net/lo/flags"; fi
cd "$2"
pivot_root . old
if [ "$3" = lo ]; then umount -l /old /net; else umount -l /old; fi
echo ready
trap '' CHLD
exec sleep infinity
`;

/** The same with bubblewrap for the inner half: the outer namespaces hold the tree, bwrap enters it. `$2…`: its arguments. */
export const mountAndWrap = `
set -e
echo 0 > /proc/sys/user/max_user_namespaces
mount -a -T "$1"
shift
exec bwrap "$@"
`;

/** Inside bwrap: its mounts are done when this runs. */
export const wrapped = `
echo ready
trap '' CHLD
exec sleep infinity
`;

/**
 * Starts a command in a sandbox: joins the control groups named before \`--\`, sets what is inherited, and
 * becomes the rest. \`$1\`: largest file in 512-byte blocks, or "unlimited".
 */
export const enter = `
ulimit -c 0
ulimit -f "$1" 2>/dev/null || :
shift
while [ "$1" != -- ]; do echo 0 > "$1"; shift; done
shift
exec "$@"
`;
