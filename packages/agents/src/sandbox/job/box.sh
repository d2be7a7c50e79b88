# First process of a box: runs what the worker asks for, until the worker closes the requests. For any POSIX shell
# (dash, bash, busybox); uses `setsid` where there is one, and nothing else.
#
# $1: the shell for scripts. The busybox that the worker brings finds `sh` and all tools in itself, by its open
# program: what a command does to the files of the image, or to those of /tracemill, does not change them.
#
# /tracemill is shared with the worker and nobody else. In it:
#   requests  FIFO: `run ID -`, `run ID in`, `kill ID`
#   replies   FIFO: `ready`, `began ID`, `done ID CODE`
#   alive     FIFO: open for writing here as long as this process lives
#   r/ID.run  what to run, as a script; r/ID.in, .out, .err: FIFOs of its streams
here=/tracemill
exec 3< $here/requests 4> $here/alive
shell=$1
session=
if command -v setsid > /dev/null 2>&1; then session=setsid; fi

# $1: the request, $2: its input
run() {
  (
    exec 3<&- 4>&-
    $session "$shell" "$here/r/$1.run" $$ < "$2" > "$here/r/$1.out" 2> "$here/r/$1.err"
    echo "done $1 $?" > $here/replies
  ) 2> /dev/null &
  eval "top_$1=$!"
}

# Adds to `tree` whoever descends from one of its processes, or is in the session of one.
gather() {
  before=
  while [ "$tree" != "$before" ]; do
    before=$tree
    for stat in /proc/[0-9]*/stat; do
      { read -r line < "$stat"; } 2> /dev/null || continue
      pid=${stat#/proc/}
      pid=${pid%/stat}
      # After the name, which may hold anything: state, parent, group, session.
      set -f
      set -- ${line##*) }
      set +f
      case $tree in
        *" $pid "*) ;;
        *" $2 "* | *" $4 "*) tree="$tree$pid " ;;
      esac
    done
  done
}

# Kills what a request has started; the subshell that waits for it then says so. Twice over, for what forked meanwhile.
end() {
  eval "top=\${top_$1:-}"
  if [ -z "$top" ]; then return; fi
  tree=" $top "
  for round in 1 2 3; do
    gather
    for pid in $tree; do
      if [ "$pid" != "$top" ]; then kill -KILL "$pid"; fi
    done 2> /dev/null
  done
}

echo ready > $here/replies
while read -r verb id input <&3; do
  case $id in '' | *[!0-9]*) continue ;; esac
  case $verb in
    run) if [ "$input" = in ]; then run "$id" "$here/r/$id.in"; else run "$id" /dev/null; fi ;;
    kill) end "$id" ;;
  esac
  # Buries those that have ended, orphans too.
  jobs > /dev/null 2>&1
done
