"""First preferences of MLflow's user interface: our kind of work, no assistant, the caller's
project. Pure.
"""

from __future__ import annotations

import json

# The assistant is switched off on the server; its button would lead nowhere.
_STYLE = b"<style>button:has(.assistant-fab-label){display:none!important}</style>"
_PREFERENCES = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
    "_mlflow_model_registry_promo_modal_dismissed_v1": "true",
}


def with_preferences(html: bytes, project: str) -> bytes:
    """The page with a script that sets what the browser has not chosen itself yet."""
    wanted = {**_PREFERENCES, "mlflow.activeWorkspace": project}
    script = (
        f"for(const[k,v]of Object.entries({json.dumps(wanted)}))"
        "{if(localStorage.getItem(k)===null)localStorage.setItem(k,v)}"
    ).replace("</", "<\\/")
    head = b"<head><script>" + script.encode() + b"</script>" + _STYLE
    return html.replace(b"<head>", head, 1)
