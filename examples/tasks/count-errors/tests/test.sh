#!/bin/bash
# Partial credit: half for the right services, half for the right counts.
python3 - <<'PY'
import json

expected = {"billing": 3, "search": 2}
try:
    with open("/app/errors.json") as file:
        given = json.load(file)
except (OSError, ValueError):
    given = {}
services = given.keys() == expected.keys() if isinstance(given, dict) else False
rewards = {"reward": 0.5 * services + 0.5 * (given == expected), "services": float(services)}
with open("/logs/verifier/reward.json", "w") as file:
    json.dump(rewards, file)
PY
