"""Reads a job folder with Harbor's own models and prints what it sees as JSON."""

import json
import sys
from pathlib import Path

from harbor.metrics.mean import Mean
from harbor.models.job.config import JobConfig
from harbor.models.job.lock import JobLock, TrialLock
from harbor.models.job.result import JobResult, JobStats
from harbor.models.trial.config import TrialConfig
from harbor.models.trial.result import TrialResult
from harbor.models.trajectories import Trajectory
from harbor.utils.pass_at_k import compute_pass_at_k_by_evals
from harbor.utils.traces_utils import collect_conversations_from_trial, load_run_metadata

job = Path(sys.argv[1])
JobConfig.model_validate_json((job / "config.json").read_text())
has_locks = (job / "lock.json").exists()
lock = JobLock.model_validate_json((job / "lock.json").read_text()) if has_locks else None
result = JobResult.model_validate_json((job / "result.json").read_text())

trials = []
rows = []
for folder in sorted(path for path in job.iterdir() if path.is_dir()):
    TrialConfig.model_validate_json((folder / "config.json").read_text())
    if lock is not None:
        assert TrialLock.model_validate_json((folder / "lock.json").read_text()) in lock.trials
    trials.append(TrialResult.model_validate_json((folder / "result.json").read_text()))
    for path in (folder / "agent").glob("trajectory*.json"):
        Trajectory.model_validate_json(path.read_text())
    rows += collect_conversations_from_trial(
        folder, load_run_metadata(folder), episodes="last", include_verifier_output=True
    )

stats = JobStats.from_trial_results(trials)
rewards = {}
for trial in trials:
    model = trial.agent_info.model_info
    key = JobStats.format_agent_evals_key(
        trial.agent_info.name, model.name if model else None, trial.source or "adhoc"
    )
    verdict = trial.verifier_result
    rewards.setdefault(key, []).append(verdict.rewards if verdict else None)
for key, values in rewards.items():
    stats.evals[key].metrics = [Mean().compute(values)]
for key, pass_at_k in compute_pass_at_k_by_evals(trials).items():
    stats.evals[key].pass_at_k = pass_at_k

progress = {"n_running_trials", "n_pending_trials", "n_retries"}
print(
    json.dumps(
        {
            "locks": len(lock.trials) if lock is not None else 0,
            "stats": json.loads(stats.model_dump_json(exclude=progress)),
            "written": json.loads(result.stats.model_dump_json(exclude=progress)),
            "rows": rows,
        }
    )
)
