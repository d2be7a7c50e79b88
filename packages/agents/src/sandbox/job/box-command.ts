/**
 * What the container of a box runs, for its job definition: waits until the worker has put its script into the volume
 * that they share at `/tracemill`, and becomes it; with the worker's busybox where it is there and runs.
 *
 * What AWS tells a container by variables is dropped first: above all the path under which the task's credentials are
 * had. A process keeps the variables that it was started with in sight of all others (`/proc/1/environ`), so that
 * only a program begun without them will do; for the same reason the container must not have an init process of
 * its own (`initProcessEnabled`). The image's own variables stay.
 */
export const boxCommand: readonly string[] = [
  "/bin/sh",
  "-c",
  `trap 'exit 0' TERM
set -f
for word in $(env); do
  case $word in
    AWS_*=* | ECS_*=*)
      name=\${word%%=*}
      case $name in *[!A-Za-z0-9_]*) ;; *) unset "$name" ;; esac ;;
  esac
done
until [ -r /tracemill/box.sh ]; do sleep 0.1 2> /dev/null || sleep 1; done
if /tracemill/busybox true 2> /dev/null; then exec /tracemill/busybox sh /tracemill/box.sh sh; fi
exec /bin/sh /tracemill/box.sh /bin/sh`,
];
