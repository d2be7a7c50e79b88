#!/bin/bash
awk '$2 == "ERROR" { count[$3]++ }
END {
  separator = ""
  printf "{"
  for (service in count) { printf "%s\"%s\": %d", separator, service, count[service]; separator = ", " }
  print "}"
}' /app/service.log > /app/errors.json
