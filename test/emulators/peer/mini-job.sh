# The job of the mini stack: $1 says what to do, $2 for whom; the outer world is in its environment.
echo "attempt $AWS_BATCH_JOB_ATTEMPT of $2 in $STAGE: $1 $3"
case "$1" in
  succeed) exit 0 ;;
  fail) echo "cannot do it"; exit 1 ;;
  interrupted-once) [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] || exit 75 ;;
  taken-once) [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ] || sleep 60 ;;
  wait) trap 'echo "told to stop"; exit 143' TERM; while :; do sleep 0.1; done ;;
  stubborn) trap '' TERM; while :; do sleep 0.1; done ;;
esac
