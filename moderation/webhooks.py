"""What the worker calls to reach whoever is on call."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from core.web import local_url, settings

TIMEOUT = 10  # Seconds; the outbox tries again later.


def send_on_call(payload: Mapping[str, Any]) -> None:
    """POST the alert as JSON to ON_CALL_WEBHOOK. Raises where the other side does not take it."""
    url = settings().on_call_webhook
    if not url:
        return  # switched off since
    facts = {name: payload[name] for name in ("case_id", "priority", "due_at")}
    what = "is late and needs a person now" if payload.get("late") else "needs a person now"
    facts["text"] = f"Boardwell: a case of priority {payload['priority']} {what}."
    facts["url"] = local_url(payload["path"])
    body = json.dumps(facts).encode()
    request = urllib.request.Request(
        url, data=body, headers={"Content-Type": "application/json", "User-Agent": "Boardwell"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        answer.read(1)
