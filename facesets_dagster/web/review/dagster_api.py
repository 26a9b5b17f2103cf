"""Dagster's own GraphQL, asked in this process: the job that publishes rulings is started, and its run looked at."""

import json
from collections.abc import Mapping, MutableMapping
from typing import Any

from facesets_dagster.errors import FacesetsError
from facesets_dagster.web.guard import App

JOB = "apply_rulings"
_WHERE = """
query Where {
  repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } jobs { name } } } }
}
"""
_START = """
mutation Publish($job: ExecutionParams!) {
  launchRun(executionParams: $job) {
    __typename
    ... on LaunchRunSuccess { run { runId status } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_RUN = "query Run($id: ID!) { runOrError(runId: $id) { __typename ... on Run { runId status } } }"


class PublishingImpossible(FacesetsError):
    """Dagster does not start the run."""


async def start_publishing(ui: App, host: str) -> str:
    """Starts the job in Dagster behind `ui`; gives the id of the run. Raises `PublishingImpossible`."""
    data = await _asked(ui, host, _WHERE, {})
    nodes = data.get("repositoriesOrError", {}).get("nodes", ())
    found = [node for node in nodes if any(job["name"] == JOB for job in node["jobs"])]
    if not found:
        raise PublishingImpossible(
            f"Dagster has no job {JOB}: its code is not loaded. The page Deployment of the UI says why. The rulings "
            "are on record, nothing else was changed."
        )
    selector = {
        "repositoryName": found[0]["name"],
        "repositoryLocationName": found[0]["location"]["name"],
        "jobName": JOB,
    }
    parameters = {"selector": selector, "runConfigData": {}, "mode": "default"}
    started = (await _asked(ui, host, _START, {"job": parameters}))["launchRun"]
    if started["__typename"] != "LaunchRunSuccess":
        why = started.get("message") or "; ".join(one["message"] for one in started.get("errors", ()))
        raise PublishingImpossible(
            f"Dagster did not start {JOB}: {why or started['__typename']}. The rulings are on record."
        )
    return str(started["run"]["runId"])


async def status_of_run(ui: App, host: str, run_id: str) -> str | None:
    """Dagster's word for how a run stands, e.g. `STARTED`, `SUCCESS`; None for one that it does not know."""
    run = (await _asked(ui, host, _RUN, {"id": run_id}))["runOrError"]
    return str(run["status"]) if run["__typename"] == "Run" else None


async def _asked(ui: App, host: str, query: str, variables: Mapping[str, object]) -> Any:
    """The data of a GraphQL answer."""
    body = json.dumps({"query": query, "variables": dict(variables)}).encode()
    headers = [(b"host", host.encode()), (b"content-type", b"application/json"), (b"accept", b"application/json")]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0),
    }  # fmt: skip
    sent: list[bytes] = []
    status = 0

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = int(message["status"])
        elif message["type"] == "http.response.body":
            sent.append(message.get("body", b""))

    await ui(scope, receive, send)
    try:
        answer = json.loads(b"".join(sent))
    except ValueError as error:
        raise PublishingImpossible(f"Dagster answers with status {status} and no data.") from error
    if not answer.get("data"):
        raise PublishingImpossible(f"Dagster refuses: {answer.get('errors') or answer}"[:500])
    return answer["data"]
