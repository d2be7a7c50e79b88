#!/bin/bash
expected=$(printf 'apple\nbanana\ncherry\nfig\npear')
if [ "$(cat /app/sorted.txt)" = "$expected" ]; then
  echo 1 > /logs/verifier/reward.txt
else
  echo 0 > /logs/verifier/reward.txt
fi
