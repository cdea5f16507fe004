"""Runs jobs with the official `openai` package: one JSON object a line on standard input, one answer a line back.

A job names an operation (`op`), a client (`sdk`), where and with which key it asks, and the SDK's own parameters. Its
answer says what the SDK returned or raised, in the few members that the suite compares; jobs run at once.
"""

import asyncio
import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import openai

SECONDS = 25
write_lock = threading.Lock()


def settings(job):
    return {
        "base_url": job["url"],
        "api_key": job["key"],
        "max_retries": job.get("retries", 0),
        "timeout": SECONDS,
        "default_headers": job.get("headers") or {},
    }


def error_of(error):
    body = getattr(error, "body", None)
    body = body if isinstance(body, dict) else {}
    return {
        "class": type(error).__name__,
        "is_api_error": isinstance(error, openai.APIError),
        "status": getattr(error, "status_code", None),
        "message": str(error),
        "type": body.get("type"),
        "code": body.get("code"),
        "param": body.get("param"),
    }


def usage_of(usage):
    if usage is None:
        return None
    return {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens, "total": usage.total_tokens}


def whole(completion):
    choices = completion.choices
    calls = choices[0].message.tool_calls or []
    return {
        "texts": [choice.message.content for choice in choices],
        "finish": choices[0].finish_reason,
        "usage": usage_of(completion.usage),
        "tools": [{"id": c.id, "name": c.function.name, "arguments": c.function.arguments} for c in calls],
    }


class Streamed:
    """What the chunks of a stream add up to."""

    def __init__(self, stop_after):
        self.texts, self.tools, self.finish, self.usage, self.tokens = [], [], None, None, 0
        self.stop_after = stop_after

    def add(self, chunk):
        """Takes a chunk; true when enough has been seen."""
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            while len(self.texts) <= choice.index:
                self.texts.append("")
            self.texts[choice.index] += choice.delta.content or ""
            self.tokens += 1 if choice.delta.content else 0
            self.finish = choice.finish_reason or self.finish
            for call in choice.delta.tool_calls or []:
                self.add_call(call)
        return self.stop_after is not None and self.tokens >= self.stop_after

    def add_call(self, call):
        while len(self.tools) <= call.index:
            self.tools.append({"id": None, "name": "", "arguments": ""})
        known = self.tools[call.index]
        known["id"] = call.id or known["id"]
        known["name"] += call.function.name or ""
        known["arguments"] += call.function.arguments or ""

    def outcome(self, error=None):
        texts, tools = self.texts, self.tools
        outcome = {"texts": texts, "finish": self.finish, "usage": usage_of(self.usage), "tools": tools}
        return outcome if error is None else {**outcome, "error": error_of(error)}


def tool_results(outcome, run):
    """The messages that answer a turn's tool calls: the caller's own tools say what they were given."""
    calls = [
        {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
        for c in outcome["tools"]
    ]
    said = [{"role": "tool", "tool_call_id": c["id"], "content": f"{run} {c['arguments']}"} for c in outcome["tools"]]
    return [{"role": "assistant", "content": outcome["texts"][0] or None, "tool_calls": calls}, *said]


def embeddings(answer):
    return {"vectors": [item.embedding for item in answer.data], "usage_total": answer.usage.total_tokens}


def decoded(answer):
    """Base64 that was asked for by name comes back as text; without a name the SDK decodes it itself."""
    vectors = embeddings(answer)
    vectors["encoded"] = [isinstance(vector, str) for vector in vectors["vectors"]]
    vectors["vectors"] = [floats(vector) if isinstance(vector, str) else vector for vector in vectors["vectors"]]
    return vectors


def floats(text):
    import array

    return array.array("f", base64.b64decode(text)).tolist()


def run_sync(job):
    with openai.OpenAI(**settings(job)) as client:
        params = job["params"]
        chat = client.chat.completions

        def streamed():
            state = Streamed(job.get("stop_after"))
            try:
                with chat.create(**params, stream=True) as stream:
                    for chunk in stream:
                        if state.add(chunk):
                            break
            except openai.OpenAIError as error:
                if not state.texts:
                    raise
                return state.outcome(error)
            return state.outcome()

        def helped():
            with chat.stream(**params) as stream:
                return whole(stream.get_final_completion())

        def turn():
            return streamed() if job.get("stream") else whole(chat.create(**params))

        match job["op"]:
            case "chat":
                return turn()
            case "helper":
                return helped()
            case "round":
                params["messages"] = [*params["messages"], *tool_results(turn(), "sun for")]
                return turn()
            case "models":
                return {"models": [model.id for model in client.models.list()]}
            case "model":
                return {"models": [client.models.retrieve(params["model"]).id]}
            case "embed":
                return decoded(client.embeddings.create(**params))


async def run_async(job):
    async with openai.AsyncOpenAI(**settings(job)) as client:
        params = job["params"]
        chat = client.chat.completions

        async def streamed():
            state = Streamed(job.get("stop_after"))
            try:
                async with await chat.create(**params, stream=True) as stream:
                    async for chunk in stream:
                        if state.add(chunk):
                            break
            except openai.OpenAIError as error:
                if not state.texts:
                    raise
                return state.outcome(error)
            return state.outcome()

        async def turn():
            return await streamed() if job.get("stream") else whole(await chat.create(**params))

        async def one():
            match job["op"]:
                case "chat":
                    return await turn()
                case "helper":
                    async with chat.stream(**params) as stream:
                        return whole(await stream.get_final_completion())
                case "round":
                    params["messages"] = [*params["messages"], *tool_results(await turn(), "sun for")]
                    return await turn()
                case "models":
                    return {"models": [model.id async for model in client.models.list()]}
                case "model":
                    return {"models": [(await client.models.retrieve(params["model"])).id]}
                case "embed":
                    return decoded(await client.embeddings.create(**params))

        return await one()


def answer(job, run):
    try:
        outcome = run(job)
    except Exception as error:  # Whatever the SDK raises is what the suite looks at.
        outcome = {"error": error_of(error)}
    with write_lock:
        print(json.dumps({"id": job["id"], "outcome": outcome}), flush=True)


def main():
    with ThreadPoolExecutor(max_workers=8) as pool:
        for line in sys.stdin:
            job = json.loads(line)
            run = (lambda job: asyncio.run(run_async(job))) if job["sdk"].endswith("async") else run_sync
            pool.submit(answer, job, run)


main()
