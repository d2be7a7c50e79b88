"""Emulated AWS in which functions, jobs and state machines run: moto, with what it lacks. Started by start.ts.

    PEER_SETTINGS='{"lambdaHost": ..., "programs": [...]}' python server.py HOST PORT
"""

import logging
import os
import sys

import settings

host, port = sys.argv[1], int(sys.argv[2])
settings.endpoint = f"http://{host}:{port}"
os.environ["MOTO_PORT"] = str(port)
os.environ.update(settings.credentials)
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import batch  # noqa: E402
import cloudformation_gaps  # noqa: E402
import cloudformation_types  # noqa: E402
import control  # noqa: E402
import event_sources  # noqa: E402
import event_targets  # noqa: E402
import faults  # noqa: E402
import functions  # noqa: E402
import step_functions  # noqa: E402
from moto.core.config import default_user_config  # noqa: E402
from moto.moto_server.werkzeug_app import (  # noqa: E402
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple  # noqa: E402

default_user_config["stepfunctions"] = {"execute_state_machine": True}
for patch in (batch, functions, event_targets, event_sources, step_functions, cloudformation_gaps, cloudformation_types):
    patch.install()


class Handler(MotoRequestHandler):
    # Connections stay open: the SDKs send hundreds of requests a second.
    protocol_version = "HTTP/1.1"


# What goes wrong in the emulator itself; `GET /_peer/log` shows its end.
sys.stderr = open(os.path.join(settings.work_dir, "peer.log"), "w", buffering=1)  # noqa: SIM115
logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
application = control.controlled(faults.faulty(DomainDispatcherApplication(create_backend_app)))
run_simple(host, port, application, threaded=True, request_handler=Handler)
